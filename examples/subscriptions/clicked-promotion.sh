#!/bin/sh
# Creates the subscription of clicked-promotion.yaml. TOKEN is an admin's token, ADDRESS where Susul's gRPC is. The answer has the
# secret that requests are signed with: no other has it.
grpcurl -plaintext -H "Authorization: Bearer $TOKEN" -d @ \
  "${ADDRESS:-127.0.0.1:7070}" susul.v1.CallbackService/CreateSubscription <<'JSON'
{
  "parent": "apps/demo",
  "subscription_id": "clicked-promotion",
  "subscription": {
    "display_name": "Clicked on a promotion",
    "description": "The coupon service gives a coupon to everybody who clicks.",
    "url": "https://coupons.example.com/susul/events",
    "filter": "event.milestone == \"CLICKED\" && custom_args.kind == \"promotion\""
  }
}
JSON
