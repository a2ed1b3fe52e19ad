package retry

import (
	"sync/atomic"
	"time"
)

// A Peer remembers whether a foreign system answers. It implements connectors.PeerReporter; the zero Peer answers.
type Peer struct{ outage atomic.Pointer[outage] }

type outage struct {
	since time.Time
	err   error
}

// Lost notes that the system did not answer.
func (p *Peer) Lost(err error) {
	since := time.Now()
	if o := p.outage.Load(); o != nil {
		since = o.since
	}
	p.outage.Store(&outage{since, err})
}

// Found notes that it answered.
func (p *Peer) Found() {
	if p.outage.Load() != nil {
		p.outage.Store(nil)
	}
}

// Unreachable implements connectors.PeerReporter.
func (p *Peer) Unreachable() (time.Time, error) {
	if o := p.outage.Load(); o != nil {
		return o.since, o.err
	}
	return time.Time{}, nil
}
