package activemq

import (
	"strings"

	"github.com/go-stomp/stomp/v3/frame"
)

// addressArtemis rewrites the destination of f for Artemis, which has no prefixes unless its acceptor is told: the name stands alone,
// and header says whether it is a queue or a topic.
func addressArtemis(f *frame.Frame, header string) {
	target := f.Header.Get(frame.Destination)
	if strings.Contains(target, ",") {
		return // composites are Classic's
	}
	kind, name, ok := strings.Cut(strings.TrimPrefix(target, "/"), "/")
	if !ok || !strings.HasPrefix(target, "/") {
		return
	}
	routing := "ANYCAST"
	if strings.HasSuffix(kind, "topic") {
		routing = "MULTICAST"
	}
	f.Header.Set(frame.Destination, name)
	f.Header.Set(header, routing)
}
