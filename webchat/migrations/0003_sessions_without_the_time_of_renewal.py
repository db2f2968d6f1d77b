from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("webchat", "0002_form_tickets_and_proof_of_work"),
    ]

    operations = [
        migrations.RemoveField(model_name="chatsession", name="renewed_at"),
    ]
