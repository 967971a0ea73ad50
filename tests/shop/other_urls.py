from django.http import HttpRequest, HttpResponse
from django.urls import path


def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse("hello from the other URLconf")


urlpatterns = [path("hello/", hello)]
