package activemq

import (
	"errors"
	"io"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
)

// URIs is what a test sees of parsed broker URIs.
type URIs struct {
	Endpoints                    []string
	Randomize                    bool
	Initial, Max                 time.Duration
	Exponent                     float64
	MaxAttempts, StartupAttempts int
	PriorityBackup               bool
	Priority, Ignored            []string
}

// ParseURIs is parseFailover. An endpoint shows its options after it, in order.
func ParseURIs(text string) (URIs, error) {
	f, err := parseFailover(text)
	u := URIs{
		Randomize: f.randomize, Initial: f.initialDelay, Max: f.maxDelay, Exponent: f.exponent, MaxAttempts: f.maxAttempts,
		StartupAttempts: f.startupAttempts, PriorityBackup: f.priorityBackup, Priority: f.priority, Ignored: f.ignored,
	}
	for _, e := range f.endpoints {
		s := e.String()
		if e.tls {
			s += " (TLS)"
		}
		if len(e.query) > 0 {
			s += "?" + e.query.Encode()
		}
		u.Endpoints = append(u.Endpoints, s)
	}
	return u, err
}

// ParseDestination is parseDestination, as the text of a destination header.
func ParseDestination(text, kind string, set bool) (string, error) {
	d, err := parseDestination(text, kind, set)
	return d.stomp(), err
}

// Frames reads frames through a guard that allows bodies of max bytes, until the first error.
func Frames(r io.Reader, max int64) ([]*frame.Frame, error) {
	reader := frame.NewReader(newGuard(r, max))
	var frames []*frame.Frame
	for {
		f, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return frames, nil
		}
		if err != nil {
			return frames, err
		}
		if f != nil {
			frames = append(frames, f)
		}
	}
}
