from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _


class WebchatConfig(AppConfig):
    name = "webchat"
    verbose_name = _("Webchat")

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in, user_logged_out
        from django.core.signals import request_finished
        from django.db.models.signals import post_delete, post_migrate, post_save, pre_delete

        from webchat import checks, groups
        from webchat.chats import accounts, transcript
        from webchat.counters import counters
        from webchat.mail import register_mail
        from webchat.messages import mail
        from webchat.models import ChatSession, OpeningHours, PreEngagementField, Span, SpecialDay, Webchat
        from webchat.models.copies import forget_copies_of_saved
        from webchat.models.counts import delete_counts
        from webchat.models.session import protect_open_channel
        from webchat.models.webchat import protect_used_webchat
        from webchat.protection.refusals import forget_refusal_of_saved

        checks.register_checks()
        post_migrate.connect(groups.after_migrate, sender=self)
        register_mail(mail.KIND, mail.write_mail)
        register_mail(transcript.KIND, transcript.write_transcript)
        request_finished.connect(counters.flush_when_due)
        user_logged_in.connect(accounts.end_chats_at_sign_in)
        user_logged_out.connect(accounts.end_chats_at_sign_out)
        post_save.connect(accounts.end_chats_of_saved_user, sender=settings.AUTH_USER_MODEL)
        pre_delete.connect(accounts.let_go_of_deleted_user, sender=settings.AUTH_USER_MODEL)
        post_save.connect(forget_refusal_of_saved, sender=Webchat)
        pre_delete.connect(protect_open_channel, sender=ChatSession)
        pre_delete.connect(protect_used_webchat, sender=Webchat)
        pre_delete.connect(delete_counts, sender=Webchat)
        for model in (Webchat, PreEngagementField, OpeningHours, Span, SpecialDay):
            post_save.connect(forget_copies_of_saved, sender=model)
            post_delete.connect(forget_copies_of_saved, sender=model)
