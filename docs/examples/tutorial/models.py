from django.core.mail import send_mail
from django.db import models, transaction


class Plant(models.Model):
    name = models.CharField(max_length=50)
    stock = models.PositiveIntegerField()

    def sell(self, quantity):
        with transaction.atomic():
            self.stock -= quantity
            self.save()
            if self.stock < 5:
                transaction.on_commit(self.order_more)

    def order_more(self):
        send_mail(f"More {self.name}, please", "", None, ["orders@grower.example"])
