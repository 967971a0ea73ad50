"""A site for tests: the catalogue and nothing else."""

from django.urls import include, path

urlpatterns = [path("", include("catalogue.urls"))]
