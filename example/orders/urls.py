from django.urls import path

from . import views

app_name = "orders"
urlpatterns = [
    path("new/<slug:sku>/", views.new, name="new"),
    path("<uuid:reference>/", views.detail, name="detail"),
]
