package api

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"

	"go.einride.tech/aip/fieldmask"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/policy"
)

type resendPolicyService struct {
	susulv1.UnimplementedResendPolicyServiceServer
	*API
}

func (s resendPolicyService) CreateResendPolicy(ctx context.Context, req *susulv1.CreateResendPolicyRequest) (*susulv1.CreateResendPolicyResponse, error) {
	policies, err := s.policies()
	if err != nil {
		return nil, err
	}
	draft, err := s.policyDraft(req.GetResendPolicyId(), req.GetResendPolicy())
	if err != nil {
		return nil, err
	}
	created, err := policies.Create(ctx, draft)
	if err != nil {
		return nil, err
	}
	return &susulv1.CreateResendPolicyResponse{ResendPolicy: policyToProto(created)}, nil
}

// policyDraft reads a policy, which must be sound, and for an app that exists, or for all. Its error is a *Fault that
// lists all that is wrong.
func (a *API) policyDraft(id string, p *susulv1.ResendPolicy) (policy.Policy, error) {
	draft, violations := policyFromProto(p)
	draft.ID = id
	if broken := (*policy.InvalidError)(nil); errors.As(draft.Validate(), &broken) {
		violations = withOthers(violations, policyViolations(broken))
	}
	if _, known := a.apps[draft.App]; p.GetApp() != "" && (!known || p.GetApp() != appName(draft.App)) {
		violations = append(violations, &errdetails.BadRequest_FieldViolation{
			Field: "resend_policy.app", Description: "there is no " + strconv.Quote(p.GetApp()),
		})
	}
	if len(violations) > 0 {
		return policy.Policy{}, invalidFields(violations)
	}
	return draft, nil
}

func (s resendPolicyService) GetResendPolicy(_ context.Context, req *susulv1.GetResendPolicyRequest) (*susulv1.GetResendPolicyResponse, error) {
	policies, err := s.policies()
	if err != nil {
		return nil, err
	}
	id, err := parsePolicy("name", req.GetName())
	if err != nil {
		return nil, err
	}
	found, ok := policies.Snapshot().Get(id)
	if !ok {
		return nil, notFound(req.GetName())
	}
	return &susulv1.GetResendPolicyResponse{ResendPolicy: policyToProto(found.Policy)}, nil
}

const defaultPolicyPage = 50

func (s resendPolicyService) ListResendPolicies(_ context.Context, req *susulv1.ListResendPoliciesRequest) (*susulv1.ListResendPoliciesResponse, error) {
	policies, err := s.policies()
	if err != nil {
		return nil, err
	}
	const list = "resend policies"
	after, err := decodePageToken("page_token", req.GetPageToken(), list)
	if err != nil {
		return nil, err
	}
	limit := pageSize(req.GetPageSize(), defaultPolicyPage)
	resp := &susulv1.ListResendPoliciesResponse{}
	for _, found := range policies.Snapshot().List() {
		if found.Policy.ID <= after {
			continue
		}
		if len(resp.ResendPolicies) == limit {
			resp.NextPageToken = pageToken{Of: list, After: after}.encode()
			break
		}
		resp.ResendPolicies = append(resp.ResendPolicies, policyToProto(found.Policy))
		after = found.Policy.ID
	}
	return resp, nil
}

func (s resendPolicyService) UpdateResendPolicy(ctx context.Context, req *susulv1.UpdateResendPolicyRequest) (*susulv1.UpdateResendPolicyResponse, error) {
	policies, err := s.policies()
	if err != nil {
		return nil, err
	}
	change := req.GetResendPolicy()
	id, err := parsePolicy("resend_policy.name", change.GetName())
	if err != nil {
		return nil, err
	}
	revision, err := parseEtag("resend_policy.etag", change.GetEtag())
	if err != nil {
		return nil, err
	}
	mask := req.GetUpdateMask()
	whole := fieldmask.IsFullReplacement(mask)
	if !whole {
		if mask, err = namedPaths(mask, change.ProtoReflect()); err != nil {
			return nil, err
		}
	}
	updated, err := policies.Update(ctx, revision, id, func(current policy.Policy) (policy.Policy, error) {
		merged := change
		if !whole {
			merged = policyToProto(current)
			fieldmask.Update(mask, merged, change)
		}
		draft, err := s.policyDraft(id, merged)
		if err != nil {
			return policy.Policy{}, err
		}
		return draft.WithMeasurementsOf(current), nil
	})
	if err != nil {
		return nil, err
	}
	return &susulv1.UpdateResendPolicyResponse{ResendPolicy: policyToProto(updated)}, nil
}

// namedPaths returns a mask with the names that the proto has, where REST may have JSON's. One without paths stands for what is
// set in the message.
func namedPaths(mask *fieldmaskpb.FieldMask, message protoreflect.Message) (*fieldmaskpb.FieldMask, error) {
	if len(mask.GetPaths()) == 0 {
		return &fieldmaskpb.FieldMask{Paths: setPaths(message, "")}, nil
	}
	named := &fieldmaskpb.FieldMask{}
	for _, path := range mask.GetPaths() {
		descriptor := message.Descriptor()
		var names []string
		for segment := range strings.SplitSeq(path, ".") {
			var field protoreflect.FieldDescriptor
			if descriptor != nil {
				field = cmp.Or(descriptor.Fields().ByName(protoreflect.Name(segment)), descriptor.Fields().ByJSONName(segment))
			}
			if field == nil {
				return nil, invalid("update_mask", "each path must lead to a field, and none into a list")
			}
			names = append(names, string(field.Name()))
			descriptor = nil
			if !field.IsList() && !field.IsMap() {
				descriptor = field.Message()
			}
		}
		named.Paths = append(named.Paths, strings.Join(names, "."))
	}
	return named, nil
}

// setPaths returns the paths of the fields that are set. A message of another package, such as a duration, is one value.
func setPaths(message protoreflect.Message, prefix string) []string {
	var paths []string
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		path := prefix + string(field.Name())
		if nested := field.Message(); nested != nil && !field.IsList() && !field.IsMap() &&
			nested.ParentFile().Package() == message.Descriptor().ParentFile().Package() {
			paths = append(paths, setPaths(value.Message(), path+".")...)
		} else {
			paths = append(paths, path)
		}
		return true
	})
	return paths
}

func (s resendPolicyService) DeleteResendPolicy(ctx context.Context, req *susulv1.DeleteResendPolicyRequest) (*susulv1.DeleteResendPolicyResponse, error) {
	policies, err := s.policies()
	if err != nil {
		return nil, err
	}
	id, err := parsePolicy("name", req.GetName())
	if err != nil {
		return nil, err
	}
	revision, err := parseEtag("etag", req.GetEtag())
	if err != nil {
		return nil, err
	}
	if err := policies.Delete(ctx, id, revision); err != nil {
		return nil, err
	}
	return &susulv1.DeleteResendPolicyResponse{}, nil
}

func (s resendPolicyService) WatchResendPolicies(_ *susulv1.WatchResendPoliciesRequest, stream susulv1.ResendPolicyService_WatchResendPoliciesServer) error {
	policies, err := s.policies()
	if err != nil {
		return err
	}
	told := make(map[string]int64) // revision by id
	snapshot := policies.Snapshot()
	for inSync := false; ; {
		for _, change := range changesSince(told, snapshot) {
			if err := stream.Send(change); err != nil {
				return err
			}
		}
		if !inSync {
			inSync = true
			if err := stream.Send(&susulv1.WatchResendPoliciesResponse{
				Change:   &susulv1.WatchResendPoliciesResponse_InSync{InSync: true},
				Revision: snapshot.Revision,
			}); err != nil {
				return err
			}
		}
		if snapshot, err = policies.Wait(stream.Context(), snapshot.Revision); err != nil {
			return err
		}
	}
}

// changesSince returns how the snapshot differs from what was told, and notes it as told.
func changesSince(told map[string]int64, snapshot *policy.Snapshot) []*susulv1.WatchResendPoliciesResponse {
	var changes []*susulv1.WatchResendPoliciesResponse
	for _, found := range snapshot.List() {
		if told[found.Policy.ID] == found.Policy.Revision {
			continue
		}
		told[found.Policy.ID] = found.Policy.Revision
		changes = append(changes, &susulv1.WatchResendPoliciesResponse{
			Change:   &susulv1.WatchResendPoliciesResponse_Stored{Stored: policyToProto(found.Policy)},
			Revision: snapshot.Revision,
		})
	}
	for id := range told {
		if _, exists := snapshot.Get(id); exists {
			continue
		}
		delete(told, id)
		changes = append(changes, &susulv1.WatchResendPoliciesResponse{
			Change:   &susulv1.WatchResendPoliciesResponse_Deleted{Deleted: policyName(id)},
			Revision: snapshot.Revision,
		})
	}
	return changes
}

// parseEtag reads the revision that an etag stands for; empty is 0, any revision.
func parseEtag(field, etag string) (int64, error) {
	if etag == "" {
		return 0, nil
	}
	revision, err := strconv.ParseInt(etag, 10, 64)
	if err != nil || revision <= 0 {
		return 0, invalid(field, "is not an etag that Susul gave: read the resource again")
	}
	return revision, nil
}
