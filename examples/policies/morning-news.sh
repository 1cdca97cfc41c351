#!/bin/sh
# Creates the resend policy of morning-news.yaml. TOKEN is an admin's token, ADDRESS
# where Susul's gRPC is.
grpcurl -plaintext -H "Authorization: Bearer $TOKEN" -d @ \
  "${ADDRESS:-127.0.0.1:7070}" susul.v1.ResendPolicyService/CreateResendPolicy <<'JSON'
{
  "resend_policy_id": "morning-news",
  "resend_policy": {
    "display_name": "Morning news",
    "description": "Follow up on the morning's news with those who have not opened it.",
    "match": "type(custom_args) == map && \"kind\" in custom_args && custom_args.kind == \"news\"",
    "trigger": {"unless": "MILESTONE_CLICKED", "within": "7200s"},
    "limits": {
      "quiet_hours": {"start": "22:00", "end": "06:00", "default_time_zone": "Asia/Jakarta"},
      "expire_after": "43200s"
    },
    "steps": [
      {
        "after": "3600s",
        "content": {"title": "Still unread: {{ push.body.notification.android.title }}"}
      },
      {
        "after": "10800s",
        "content": {
          "title": "{{ push.body.notification.android.title }}, in two minutes",
          "alert": "{{ push.body.notification.android.alert }} {{ custom_args.teaser | default: 'The short version is waiting for you.' }}"
        }
      }
    ]
  }
}
JSON
