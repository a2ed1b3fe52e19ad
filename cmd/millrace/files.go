package main

import (
	"net"
	"net/url"
	"strings"

	"millrace/connectors/file"
	"millrace/runtime"
)

// allowedFiles are the files that connectors of a worker may touch: those it names; else all, as long as only this machine can reach
// its REST API, and none if others can.
func allowedFiles(worker runtime.Config) file.Allowed {
	if allowed := commaList(worker.Properties[file.KeyAllowedPaths]); len(allowed) > 0 {
		return allowed
	}
	for _, listener := range commaList(worker.Properties["listeners"]) {
		if !isLoopback(listener) {
			return file.Allowed{}
		}
	}
	return nil
}

// isLoopback reports whether only this machine reaches a listener.
func isLoopback(listener string) bool {
	u, err := url.Parse(listener)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return strings.EqualFold(u.Hostname(), "localhost") || ip != nil && ip.IsLoopback()
}

func commaList(text string) (list []string) {
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list
}
