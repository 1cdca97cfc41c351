package server

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnlyHere(t *testing.T) {
	far, near := []string{"http://127.0.0.1:2379", "https://etcd-2:2379"}, []string{"127.0.0.1:2379", "http://localhost:2380", "[::1]:2379"}
	for _, address := range []string{"0.0.0.0:7070", "[::]:7070", ":7070"} {
		require.True(t, onlyHere(address, near), address)
		require.True(t, onlyHere(address, far), address)
		require.False(t, onlyHere(address, nil), address)
	}
	for _, address := range []string{"127.0.0.1:7070", "localhost:7070", "[::1]:7070"} {
		require.False(t, onlyHere(address, near), address)
		require.True(t, onlyHere(address, far), address)
		require.True(t, onlyHere(address, []string{"etcd-1:2379"}), address)
	}
	require.False(t, onlyHere("susul-1:7070", far))
	require.False(t, onlyHere("10.0.0.1:7070", far))
}
