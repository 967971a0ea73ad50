from django.urls import path

from . import views

app_name = "catalogue"
urlpatterns = [
    path("", views.home, name="home"),
    path("category/<slug:slug>/", views.category, name="category"),
    path("find/", views.find, name="find"),
    path("find/plants/", views.find_plants, name="find-plants"),
    path("find/wish/", views.wish, name="wish"),
    path("plants/<slug:sku>/", views.plant, name="plant"),
]
