from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language, ngettext

from catalogue.models import Plant

from .forms import OrderForm
from .models import Customer, Order
from .services import OutOfStock, place_order


def new(request, sku):
    """The page to order a plant: a form, and then the order's own page."""
    plant = get_object_or_404(Plant, sku=sku)
    form = OrderForm(request.POST or None)
    if form.is_valid():
        try:
            return redirect(order_from(form.cleaned_data, plant))
        except OutOfStock as error:
            form.add_error("quantity", only_so_many(error.plant))
    return render(request, "orders/new.html", {"form": form, "plant": plant})


def detail(request, reference):
    orders = Order.objects.select_related("customer").prefetch_related("lines__plant")
    order = get_object_or_404(orders, reference=reference)
    return render(request, "orders/detail.html", {"order": order})


def order_from(data, plant):
    customer, _created = Customer.objects.get_or_create(
        email=data["email"], defaults={"name": data["name"], "language": get_language()}
    )
    return place_order(customer, {plant.sku: data["quantity"]})


def only_so_many(plant):
    message = ngettext(
        "We have only %(count)s of these.", "We have only %(count)s of these.", plant.stock
    )
    return message % {"count": plant.stock}
