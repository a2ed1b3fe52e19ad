package retry_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"millrace/connectors"
	"millrace/connectors/internal/retry"
)

var _ connectors.PeerReporter = (*retry.Peer)(nil)

func TestPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p retry.Peer
		p.Found()
		if since, err := p.Unreachable(); err != nil || !since.IsZero() {
			t.Errorf("at first: %v, %v", since, err)
		}
		began := time.Now()
		p.Lost(errors.New("refused"))
		time.Sleep(time.Minute)
		p.Lost(errors.New("no route"))
		if since, err := p.Unreachable(); err == nil || err.Error() != "no route" || !since.Equal(began) {
			t.Errorf("after two failures: %v, %v, want the second error and the time of the first", since, err)
		}
		p.Found()
		if _, err := p.Unreachable(); err != nil {
			t.Errorf("after it came back: %v", err)
		}
	})
}
