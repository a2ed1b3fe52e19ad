package runtime

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"time"

	"millrace/runtime/state"
)

// keepSessionKey writes the key that signs requests between workers, at first and whenever it is too old, while this worker leads.
func (h *herder) keepSessionKey(ctx context.Context) error {
	select {
	case <-h.ready:
	case <-ctx.Done():
		return nil
	}
	if !h.cfg.StateInTopics {
		return nil
	}
	ttl, algorithm, size := time.Hour, "HmacSHA256", 0
	if h.cfg.Mode == Distributed {
		ttl = h.cfg.Values.Millis("inter.worker.key.ttl.ms")
		algorithm = h.cfg.Values.String("inter.worker.key.generation.algorithm")
		if !h.cfg.Values.IsNull("inter.worker.key.size") {
			size = int(h.cfg.Values.Int("inter.worker.key.size"))
		}
	}
	for ctx.Err() == nil {
		a, changed, writing, done, err := h.turns.now(ctx)
		if err != nil {
			return nil // the worker ends
		}
		wait := max(ttl, time.Second)
		if a.Leader {
			k := h.configs.SessionKey()
			if k != nil {
				wait = ttl - time.Since(time.UnixMilli(k.Created))
			}
			if k == nil || wait <= 0 || k.Algorithm != algorithm {
				wait = max(ttl, time.Second)
				if err := h.configs.PutSessionKey(writing, newSessionKey(algorithm, size)); err != nil && ctx.Err() == nil {
					h.log.Warn("session key was not written", "err", err)
					wait = time.Second
				}
			}
		}
		done()
		timer := time.NewTimer(max(wait, time.Second))
		select {
		case <-timer.C:
		case <-changed:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	return nil
}

// newSessionKey makes a key of size bits, 0 for the usual size of the algorithm: that of its hash.
func newSessionKey(algorithm string, size int) state.SessionKey {
	n := (size + 7) / 8
	if n == 0 {
		n = 32
		if hash := signatures[algorithm]; hash != nil {
			n = hash().Size()
		}
	}
	key := make([]byte, n)
	rand.Read(key) // never fails
	return state.SessionKey{Key: base64.StdEncoding.EncodeToString(key), Algorithm: algorithm, Created: time.Now().UnixMilli()}
}
