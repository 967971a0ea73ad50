from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("catalogue.urls")),
    path("order/", include("orders.urls")),
    path("ledger/", include("ledger.urls")),
    path("admin/", admin.site.urls),
]
