package activemq

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/go-stomp/stomp/v3/frame"
)

// A refusal says what kind of ERROR frame a broker sent.
type refusal int8

const (
	refusedOther    refusal = iota // this frame: sending it again does not help
	refusedAuth                    // credentials or permission
	refusedConfig                  // destination, selector, client id: the configuration
	refusedForNow                  // the broker is full, stopping, or still has our last connection
	refusedProtocol                // not a STOMP broker, or not one that we can talk to
)

// A brokerError is an ERROR frame.
type brokerError struct {
	endpoint endpoint
	kind     refusal
	message  string
}

func (e *brokerError) Error() string { return fmt.Sprintf("%s answers: %s", e.endpoint, e.message) }

// refusals recognises ActiveMQ's and Artemis's messages: STOMP has no error codes. The first match counts.
var refusals = []struct {
	text string
	kind refusal
}{
	{"already connected", refusedForNow},
	{"already a subscriber", refusedForNow},
	{"durable consumer is in use", refusedForNow},
	{"invalidclientid", refusedForNow},
	{"usage manager", refusedForNow},
	{"memory limit", refusedForNow},
	{"store is full", refusedForNow},
	{"resourceallocation", refusedForNow},
	{"amq229102", refusedForNow}, // address is full
	{"maximum number of connections", refusedForNow},
	{"broker has been stopped", refusedForNow},
	{"brokerstopped", refusedForNow},
	{"is being stopped", refusedForNow},
	{"user name", refusedAuth},
	{"password", refusedAuth},
	{"credential", refusedAuth},
	{"securityexception", refusedAuth},
	{"not authorized", refusedAuth},
	{"authentication", refusedAuth},
	{"amq229031", refusedAuth}, // unable to validate user
	{"amq229032", refusedAuth}, // user does not have permission
	{"selector", refusedConfig},
	{"invaliddestination", refusedConfig},
	{"invalid destination", refusedConfig},
	{"does not exist", refusedConfig},
	{"durable", refusedConfig},
	{"protocol version", refusedProtocol},
	{"supported version", refusedProtocol},
}

func newBrokerError(e endpoint, f *frame.Frame) *brokerError {
	message := strings.TrimSpace(f.Header.Get(frame.Message))
	body := string(f.Body[:min(len(f.Body), 400)])
	if first, _, _ := strings.Cut(strings.TrimSpace(body), "\n"); message == "" {
		message = strings.TrimSpace(first)
	}
	if message == "" {
		message = "an ERROR without a message"
	}
	kind := refusedOther
	// The exception's class is in the body only.
	text := strings.ToLower(message + "\n" + body)
	for _, r := range refusals {
		if strings.Contains(text, r.text) {
			kind = r.kind
			break
		}
	}
	return &brokerError{endpoint: e, kind: kind, message: message}
}

// hungUp reports whether err is that of a connection that the broker ended.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// A wrongProtocolError is a port where something else than STOMP answers.
type wrongProtocolError struct {
	endpoint endpoint
	speaks   string
	fallback string // what came of the fallback port
}

func (e *wrongProtocolError) Error() string {
	remedy := "set activemq.server_uris to the broker's STOMP port"
	if e.speaks == "OpenWire" {
		remedy = `add <transportConnector name="stomp" uri="stomp://0.0.0.0:61613"/> to the transportConnectors of activemq.xml, ` +
			"or make this connector auto+nio://, or set activemq.stomp.port to the port where the broker speaks STOMP"
	}
	text := fmt.Sprintf("port %d of %s speaks %s, not STOMP%s; %s", e.endpoint.port, e.endpoint.host, e.speaks, e.fallback, remedy)
	return text
}

// kindOf returns the refusal in err's chain; ok is false for a lost or impossible connection. Of joined errors all must
// be refusals: another broker may still come.
func kindOf(err error) (kind refusal, ok bool) {
	if joined, is := err.(interface{ Unwrap() []error }); is { //nolint:errorlint // the joined error itself
		for i, e := range joined.Unwrap() {
			k, refused := kindOf(e)
			if !refused {
				return 0, false
			}
			if i == 0 {
				kind, ok = k, true
			}
		}
		return kind, ok
	}
	if e, found := errors.AsType[*brokerError](err); found {
		return e.kind, true
	}
	if _, found := errors.AsType[*wrongProtocolError](err); found {
		return refusedProtocol, true
	}
	return 0, false
}
