from django.contrib.admin.views.decorators import staff_member_required
from django.shortcuts import render

from .reports import stock_differences


@staff_member_required
def report(request):
    return render(request, "ledger/report.html", {"differences": stock_differences()})
