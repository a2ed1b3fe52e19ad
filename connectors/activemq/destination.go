package activemq

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// A destination is a queue or topic as users write it: queue://A, topic://A, /queue/A, /topic/A or a bare name; commas make a
// composite.
type destination struct {
	elements []string // with their STOMP prefixes
	topic    bool     // one of them is a topic
	prefetch int      // consumer.prefetchSize option, 0 if not given
}

// stomp is the text of the destination header.
func (d destination) stomp() string { return strings.Join(d.elements, ",") }

var destinationPrefixes = []string{"queue://", "topic://", "temp-queue://", "temp-topic://", "/queue/", "/topic/", "/temp-queue/", "/temp-topic/"}

// parseDestination reads text; kind (queue or topic) is what a bare name means. A prefix that says otherwise wins
// when kind is the default, and is an error when the user has set kind.
func parseDestination(text, kind string, kindSet bool) (destination, error) {
	var d destination
	for _, part := range strings.Split(text, ",") {
		part = strings.TrimSpace(part)
		name, options, _ := strings.Cut(part, "?")
		found := kind
		for _, prefix := range destinationPrefixes {
			if rest, ok := strings.CutPrefix(name, prefix); ok {
				name, found = rest, strings.Trim(prefix, ":/")
				if kindSet && found != kind {
					return destination{}, fmt.Errorf("%s is a %s, but activemq.destination.type says %s", part, found, kind)
				}
				break
			}
		}
		if name == "" || strings.ContainsAny(name, "\r\n\x00") {
			return destination{}, fmt.Errorf("%q is not the name of a destination", part)
		}
		query, err := url.ParseQuery(options)
		if err != nil {
			return destination{}, fmt.Errorf("options of %s: %w", name, err)
		}
		if p := query.Get("consumer.prefetchSize"); p != "" {
			n, err := strconv.Atoi(p)
			if err != nil || n < 1 || n > maxPrefetch {
				return destination{}, fmt.Errorf("%s: consumer.prefetchSize=%s must be between 1 and %d", name, p, maxPrefetch)
			}
			d.prefetch = n
		}
		d.topic = d.topic || strings.HasSuffix(found, "topic")
		d.elements = append(d.elements, "/"+found+"/"+name)
	}
	return d, nil
}

// javaName turns a STOMP destination into the form that Java prints: /queue/A is queue://A.
func javaName(s string) string {
	kind, name, ok := strings.Cut(strings.TrimPrefix(s, "/"), "/")
	if !ok || !strings.HasPrefix(s, "/") {
		return s
	}
	return kind + "://" + name
}

// plainName is a STOMP destination without its prefix.
func plainName(s string) string {
	if _, name, ok := strings.Cut(strings.TrimPrefix(s, "/"), "/"); ok && strings.HasPrefix(s, "/") {
		return name
	}
	return s
}
