from django.shortcuts import get_object_or_404, render

from .models import Category, Plant


def home(request):
    return render(request, "catalogue/home.html", {"plants": Plant.objects.in_stock()})


def category(request, slug):
    category = get_object_or_404(Category, slug=slug)
    context = {"category": category, "plants": category.plants.all()}
    return render(request, "catalogue/category.html", context)


def plant(request, sku):
    plant = get_object_or_404(Plant.objects.select_related("category"), sku=sku)
    return render(request, "catalogue/plant.html", {"plant": plant})
