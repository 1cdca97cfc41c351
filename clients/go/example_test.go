package susul_test

import (
	"context"
	"errors"
	"fmt"

	susul "susul.dev/susul/clients/go"
	"susul.dev/susul/clients/go/susulv1"
)

// A push is sent, and followed until it is clicked.
func Example() {
	if err := send(context.Background(), "localhost:7070", "demo", "secret", "1507bfd3f9e0a1b2c3d"); err != nil {
		fmt.Println(err)
	}
}

func send(ctx context.Context, address, app, masterSecret, device string) error {
	client, err := susul.Connect(address, susul.App(app, masterSecret))
	if err != nil {
		return err
	}
	defer client.Close()

	var push *susulv1.Push
	for answer, err := range client.WatchEvents(ctx, &susulv1.WatchEventsRequest{Parent: "apps/" + app}) { // through reconnections
		if err != nil {
			return err
		}
		if push == nil { // the watch's first answer has no event; from here on none is missed
			created, err := client.Pushes.CreatePush(ctx, &susulv1.CreatePushRequest{
				Parent: "apps/" + app,
				Push: &susulv1.Push{
					Audience: &susulv1.Audience{Kind: &susulv1.Audience_RegistrationIds{
						RegistrationIds: &susulv1.RegistrationIds{Ids: []string{device}},
					}},
					Notification: &susulv1.Notification{Alert: "Three things to know"},
				},
			})
			if e, ok := errors.AsType[*susul.Error](err); ok {
				fmt.Println(e.Reason, e.Metadata, e.Violations)
			}
			if err != nil {
				return err
			}
			push = created.GetPush()
		}
		if event := answer.GetEvent(); event != nil && event.GetMsgId() == push.GetMsgId() {
			fmt.Println(event.GetMilestone())
			if event.GetMilestone() == susulv1.Milestone_MILESTONE_CLICKED {
				break
			}
		}
	}
	return nil
}
