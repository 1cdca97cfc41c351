package susul

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"susul.dev/susul/clients/go/susulv1"
)

func TestOnlyThisMachineIsLocal(t *testing.T) {
	for address, want := range map[string]bool{
		"localhost:7070":                    true,
		"LOCALHOST":                         true,
		"127.0.0.1:7070":                    true,
		"127.8.9.10":                        true,
		"[::1]:7070":                        true,
		"[::1]":                             true,
		"[::ffff:127.0.0.1]:7070":           true,
		"dns:///localhost:7070":             true,
		"dns:localhost:7070":                true,
		"passthrough:///127.0.0.1:7070":     true,
		"unix:/run/susul.sock":              true,
		"unix-abstract:susul":               true,
		"susul.example:7070":                false,
		"localhost.example:7070":            false,
		"10.0.0.1:7070":                     false,
		"[2001:db8::1]:7070":                false,
		"dns:///susul.example":              false,
		"dns://127.0.0.1/susul.example:443": false,
		"":                                  false,
	} {
		require.Equal(t, want, isLocal(address), address)
	}
}

func TestTheRepeatableMethodsExist(t *testing.T) {
	for method := range repeatable {
		require.Contains(t, methods(), method)
	}
	require.True(t, mayRepeat("/susul.v1.PushService/GetPush"))
	require.True(t, mayRepeat("/susul.v1.PushService/ListPushes"))
	require.False(t, mayRepeat("/susul.v1.PushService/WithdrawPush"))
}

// methods are the names of all that the services have.
func methods() (names []string) {
	for _, service := range []grpc.ServiceDesc{
		susulv1.CallbackService_ServiceDesc, susulv1.DeviceService_ServiceDesc, susulv1.PushService_ServiceDesc,
		susulv1.RelayService_ServiceDesc, susulv1.ResendPolicyService_ServiceDesc,
	} {
		for _, method := range service.Methods {
			names = append(names, method.MethodName)
		}
	}
	return names
}
