// Command stock sends a push with the client that a generator has made of the OpenAPI document and laid beside this file. What it
// was answered it prints.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
)

func main() {
	if err := run(context.Background(), os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, server, app, secret string) error {
	client, err := NewClientWithResponses(server, WithRequestEditorFn(func(_ context.Context, req *http.Request) error {
		req.SetBasicAuth(app, secret)
		return nil
	}))
	if err != nil {
		return err
	}
	alert, ids := "hello", []string{"1507bfd3f9e0a1b2c3d"}
	push := Push{
		Audience:     &Audience{RegistrationIds: &RegistrationIds{Ids: &ids}},
		Notification: &Notification{Alert: &alert},
	}
	sent, err := client.PushServiceCreatePushWithResponse(ctx, app, push)
	if err != nil {
		return err
	}
	if sent.JSON200 == nil {
		return fmt.Errorf("%s: %s", sent.Status(), sent.Body)
	}
	read, err := client.PushServiceGetPushWithResponse(ctx, app, *sent.JSON200.MsgId)
	if err != nil {
		return err
	}
	if read.JSON200 == nil || *read.JSON200.MsgId != *sent.JSON200.MsgId {
		return fmt.Errorf("%s: %s", read.Status(), read.Body)
	}
	fmt.Println("sent, and read again")
	return refusals(ctx, client, app, push)
}

// refusals prints what the errors of calls say that can't be done.
func refusals(ctx context.Context, client *ClientWithResponses, app string, push Push) error {
	missing, err := client.PushServiceGetPushWithResponse(ctx, app, "1")
	if err != nil {
		return err
	}
	if err := explain(missing.JSON404); err != nil {
		return err
	}
	push.Audience = nil
	invalid, err := client.PushServiceCreatePushWithResponse(ctx, app, push)
	if err != nil {
		return err
	}
	if err := explain(invalid.JSON400); err != nil {
		return err
	}
	unknown, err := client.PushServiceListPushesWithResponse(ctx, app, nil, func(_ context.Context, req *http.Request) error {
		req.SetBasicAuth(app, "not-its-secret")
		return nil
	})
	if err != nil {
		return err
	}
	return explain(unknown.JSON401)
}

// explain prints an error's reason, its metadata and the fields that it names.
func explain(status *Status) error {
	if status == nil {
		return fmt.Errorf("another answer than was expected")
	}
	for _, detail := range status.Details {
		value, err := detail.ValueByDiscriminator()
		if err != nil {
			return err
		}
		switch value := value.(type) {
		case ErrorInfo:
			fmt.Print(value.Reason)
			if value.Metadata != nil {
				for name, text := range *value.Metadata {
					fmt.Printf(" %s=%s", name, text)
				}
			}
		case BadRequest:
			for _, violation := range value.FieldViolations {
				fmt.Print(" ", violation.Field)
			}
		}
	}
	fmt.Println()
	return nil
}
