from django.db import migrations


class Migration(migrations.Migration):
    """The column itself stays for one release: while it is rolled out, the code before still reads it."""

    dependencies = [
        ("webchat", "0002_form_tickets_and_proof_of_work"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.RemoveField(model_name="chatsession", name="renewed_at")]
        ),
    ]
