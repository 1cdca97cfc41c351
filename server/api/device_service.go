package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"go.einride.tech/aip/resourcename"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/delivery"
	"susul.dev/susul/storage"
)

type deviceService struct {
	susulv1.UnimplementedDeviceServiceServer
	*API
}

func (s deviceService) SetDevices(ctx context.Context, req *susulv1.SetDevicesRequest) (*susulv1.SetDevicesResponse, error) {
	if err := s.setDevices(ctx, req); err != nil {
		return nil, err
	}
	return &susulv1.SetDevicesResponse{}, nil
}

// devicesRequest is what SetDevices and the messages of ImportDevices have in common.
type devicesRequest interface {
	GetParent() string
	GetDevices() []*susulv1.Device
}

func (s deviceService) setDevices(ctx context.Context, req devicesRequest) error {
	app, core, err := s.coreFor(ctx, req.GetParent())
	if err != nil {
		return err
	}
	devices, violations := devicesFromProto(req)
	if len(violations) > 0 {
		return invalidFields(violations)
	}
	return core.SetDevices(ctx, app, devices)
}

func (s deviceService) ImportDevices(stream susulv1.DeviceService_ImportDevicesServer) error {
	resp := &susulv1.ImportDevicesResponse{}
	for parent := ""; ; {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(resp)
		}
		if err != nil {
			return err
		}
		if parent == "" {
			parent = req.GetParent()
		}
		if req.GetParent() != parent {
			return invalid("parent", "must be the same in every message of a stream")
		}
		if err := s.setDevices(stream.Context(), req); err != nil {
			return err
		}
		resp.DeviceCount += int64(len(req.GetDevices()))
	}
}

func (s deviceService) GetDevice(ctx context.Context, req *susulv1.GetDeviceRequest) (*susulv1.GetDeviceResponse, error) {
	app, registrationID, core, err := s.coreForDevice(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	device, err := core.GetDevice(ctx, app, registrationID)
	if err != nil {
		return nil, err
	}
	return &susulv1.GetDeviceResponse{Device: deviceToProto(app, device)}, nil
}

func (s deviceService) DeleteDevice(ctx context.Context, req *susulv1.DeleteDeviceRequest) (*susulv1.DeleteDeviceResponse, error) {
	app, registrationID, core, err := s.coreForDevice(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	if err := core.DeleteDevice(ctx, app, registrationID); err != nil {
		return nil, err
	}
	return &susulv1.DeleteDeviceResponse{}, nil
}

func (s deviceService) coreForDevice(ctx context.Context, name string) (app, registrationID string, core *delivery.Service, err error) {
	if err := resourcename.Sscan(name, devicePattern, &app, &registrationID); err != nil {
		return "", "", nil, invalid("name", "must look like "+devicePattern)
	}
	core, err = s.coreForApp(ctx, app)
	return app, registrationID, core, err
}

const defaultDevicePage = 100

func (s deviceService) ListInvalidDevices(ctx context.Context, req *susulv1.ListInvalidDevicesRequest) (*susulv1.ListInvalidDevicesResponse, error) {
	app, core, err := s.coreFor(ctx, req.GetParent())
	if err != nil {
		return nil, err
	}
	list := "invalid devices of " + app
	after, err := decodePageToken("page_token", req.GetPageToken(), list)
	if err != nil {
		return nil, err
	}
	limit := pageSize(req.GetPageSize(), defaultDevicePage)
	devices, err := core.ListInvalidDevices(ctx, storage.InvalidQuery{App: app, After: after, Limit: limit})
	if err != nil {
		return nil, err
	}
	resp := &susulv1.ListInvalidDevicesResponse{}
	for _, device := range devices {
		resp.Devices = append(resp.Devices, deviceToProto(app, device))
	}
	if len(devices) == limit {
		resp.NextPageToken = pageToken{Of: list, After: devices[limit-1].RegistrationID}.encode()
	}
	return resp, nil
}

func (s deviceService) ReviveDevices(ctx context.Context, req *susulv1.ReviveDevicesRequest) (*susulv1.ReviveDevicesResponse, error) {
	app, core, err := s.coreFor(ctx, req.GetParent())
	if err != nil {
		return nil, err
	}
	revived, err := core.ReviveDevices(ctx, app, req.GetRegistrationIds())
	if err != nil {
		return nil, err
	}
	return &susulv1.ReviveDevicesResponse{RevivedCount: int32(revived)}, nil
}

// devicesFromProto reads devices that are to be set, and finds all that is wrong with them but for the request's rules.
func devicesFromProto(req devicesRequest) ([]storage.Device, []*errdetails.BadRequest_FieldViolation) {
	var violations []*errdetails.BadRequest_FieldViolation
	add := func(i int, field, description string) {
		violations = append(violations, &errdetails.BadRequest_FieldViolation{
			Field: fmt.Sprintf("devices[%d].%s", i, field), Description: description,
		})
	}
	devices := make([]storage.Device, len(req.GetDevices()))
	for i, device := range req.GetDevices() {
		devices[i] = storage.Device{
			RegistrationID: device.GetRegistrationId(), TimeZone: device.GetTimeZone(), Locale: device.GetLocale(),
		}
		if want := req.GetParent() + "/devices/" + device.GetRegistrationId(); device.GetName() != "" && device.GetName() != want {
			add(i, "name", "must be empty, or parent and registration_id together")
		}
		if device.GetAttributes() == nil {
			continue
		}
		var attributes bytes.Buffer
		data, err := protojson.Marshal(device.GetAttributes())
		if err == nil {
			err = json.Compact(&attributes, data) // protojson's spaces differ from build to build
		}
		if err != nil {
			add(i, "attributes", "can't be written as JSON")
			continue
		}
		devices[i].Attributes = attributes.Bytes()
	}
	for _, fault := range delivery.CheckDevices(devices) {
		add(fault.Index, fault.Field, fault.Description)
	}
	return devices, violations
}

func deviceToProto(app string, device storage.Device) *susulv1.Device {
	p := &susulv1.Device{
		Name: deviceName(app, device.RegistrationID), RegistrationId: device.RegistrationID,
		TimeZone: device.TimeZone, Locale: device.Locale, UpdateTime: timeToProto(device.UpdateTime),
	}
	attributes := &structpb.Struct{}
	if len(device.Attributes) > 0 && protojson.Unmarshal(device.Attributes, attributes) == nil { // it was a Struct when it came
		p.Attributes = attributes
	}
	if why := device.Invalidity; why != nil {
		p.Invalidity = &susulv1.Invalidity{
			Reason: why.Reason, InvalidTime: timeToProto(why.Time), Status: why.Status, ErrorCode: int32(why.ErrorCode),
			ErrorMessage: why.ErrorMessage, DeleteTime: timeToProto(why.DeleteTime),
		}
	}
	return p
}
