from django import forms
from django.utils.translation import gettext_lazy as _


class OrderForm(forms.Form):
    name = forms.CharField(label=_("Your name"), max_length=80)
    email = forms.EmailField(label=_("Your e-mail"))
    quantity = forms.IntegerField(label=_("How many"), min_value=1, initial=1)
