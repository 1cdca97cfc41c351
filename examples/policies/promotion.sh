#!/bin/sh
# Creates the resend policy of promotion.yaml. TOKEN is an admin's token, ADDRESS
# where Susul's gRPC is.
grpcurl -plaintext -H "Authorization: Bearer $TOKEN" -d @ \
  "${ADDRESS:-127.0.0.1:7070}" susul.v1.ResendPolicyService/CreateResendPolicy <<'JSON'
{
  "resend_policy_id": "promotion",
  "resend_policy": {
    "display_name": "Promotion",
    "description": "A countdown, then a coupon, for those who have not opened the promotion.",
    "match": "type(custom_args) == map && \"kind\" in custom_args && custom_args.kind == \"promotion\"",
    "trigger": {"unless": "MILESTONE_CLICKED", "within": "21600s"},
    "limits": {"quiet_hours": {"start": "21:00", "end": "08:00", "default_time_zone": "Asia/Jakarta"}},
    "steps": [
      {
        "after": "7200s",
        "content": {
          "title": "Only a few hours left",
          "alert": "{{ push.body.notification.android.alert }} Ends {{ custom_args.ends | default: 'tonight' }}."
        }
      },
      {
        "after": "18000s",
        "content": {
          "title": "{{ custom_args.coupon }}: your coupon",
          "alert": "{{ custom_args.picks[device.registration_id] | default: device.attributes.favourite | default: custom_args.product }} is yours for less. Code {{ custom_args.coupon }}.",
          "overlay": {"body": {"notification": {"android": {"extras": {"coupon": "{{ custom_args.coupon }}"}}}}}
        },
        "plain_content": {
          "title": "Your coupon is waiting",
          "alert": "Open the app before the day is over."
        }
      }
    ]
  }
}
JSON
