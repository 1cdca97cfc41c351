package api

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// sourceOf returns the address that a request comes from: the right-most one that is not a trusted proxy's. Each proxy
// adds to the right of X-Forwarded-For whom it was called by, so what stands further left is anybody's claim. The zero
// address, which no network contains, stands for one that a trusted proxy wrote so that it can't be read.
func sourceOf(r *http.Request, trusted []netip.Prefix) netip.Addr {
	from := parseAddress(r.RemoteAddr)
	if !within(trusted, from) {
		return from
	}
	for _, line := range slices.Backward(r.Header.Values("X-Forwarded-For")) {
		for line != "" {
			comma := strings.LastIndexByte(line, ',')
			from = parseAddress(strings.TrimSpace(line[comma+1:]))
			if !within(trusted, from) {
				return from
			}
			line = line[:max(comma, 0)]
		}
	}
	return from
}

// parseAddress reads an address with or without a port; it returns the zero address for anything else.
func parseAddress(text string) netip.Addr {
	withPort, err := netip.ParseAddrPort(text)
	address := withPort.Addr()
	if err != nil {
		address, _ = netip.ParseAddr(strings.Trim(text, "[]"))
	}
	return address.Unmap().WithZone("")
}

func within(networks []netip.Prefix, address netip.Addr) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(address) })
}
