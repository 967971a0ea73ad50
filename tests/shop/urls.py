from django.http import HttpRequest, HttpResponse
from django.urls import path

from .models import Category


def count(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(Category.objects.count()))


urlpatterns = [path("count/", count)]
