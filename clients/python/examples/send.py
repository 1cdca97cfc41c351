"""Sends a push, and follows it until it is clicked."""

from susul import Susul, SusulError, v1


def send(address: str, app: str, master_secret: str, device: str) -> str:
    with Susul(address, app=app, master_secret=master_secret) as susul, susul.watch_events(f"apps/{app}") as watch:
        next(watch)  # its first answer has no event; from here on none is missed
        try:
            push = susul.pushes.create_push(
                parent=f"apps/{app}",
                push={
                    "audience": {"registration_ids": {"ids": [device]}},
                    "notification": {"android": {"title": "News", "alert": "Three things to know"}},
                    "custom_args": {"kind": "news"},
                },
            ).push
        except SusulError as error:
            print(error.reason, error.metadata, error.field_violations)
            raise
        for answer in watch:  # through reconnections
            if answer.event.msg_id == push.msg_id:
                print(v1.Milestone.Name(answer.event.milestone))
                if answer.event.milestone == v1.Milestone.MILESTONE_CLICKED:
                    break
        return push.msg_id
