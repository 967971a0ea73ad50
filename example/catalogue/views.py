from django.http import JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_POST

from .models import Category, Plant
from .money import format_price


def home(request):
    return render(request, "catalogue/home.html", {"plants": Plant.objects.in_stock()})


def category(request, slug):
    category = get_object_or_404(Category, slug=slug)
    context = {"category": category, "plants": category.plants.all()}
    return render(request, "catalogue/category.html", context)


def plant(request, sku):
    plant = get_object_or_404(Plant.objects.select_related("category"), sku=sku)
    return render(request, "catalogue/plant.html", {"plant": plant})


def find(request):
    """The page to look for a plant; a script fills the list."""
    return render(request, "catalogue/find.html", {"wishes": len(wishes_of(request))})


def find_plants(request):
    plants = Plant.objects.named_like(request.GET.get("q", ""))
    found = [
        {"sku": plant.sku, "name": plant.name, "price": format_price(plant.price)}
        for plant in plants[:10]
    ]
    return JsonResponse({"plants": found})


@require_POST
def wish(request):
    """Note a plant on the wish list, which is kept in the session."""
    plant = get_object_or_404(Plant, sku=request.POST.get("sku", ""))
    wishes = sorted({*wishes_of(request), plant.sku})
    request.session["wishes"] = wishes
    return JsonResponse({"wishes": len(wishes)})


def wishes_of(request):
    return request.session.get("wishes", [])
