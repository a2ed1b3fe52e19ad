package activemq

import "sync"

// A delivery is a message that was handed to the runtime: the handle of its record.
type delivery struct {
	session *session
	ack     string // the id that acknowledges it
	done    bool   // the log has it; guarded by the window
}

// A window holds the deliveries of the current session, in the order in which the broker sent them, until they are
// acknowledged. Deliveries of earlier sessions are forgotten: the broker delivers them again.
type window struct {
	mu      sync.Mutex
	session *session
	batches [][]delivery // the first may be acknowledged in part
	first   int          // index in batches[0] of the oldest delivery
	pending int
	room    chan struct{} // gets a value when deliveries leave
}

func newWindow() *window { return &window{room: make(chan struct{}, 1)} }

// add takes deliveries of s and keeps the slice.
func (w *window) add(s *session, deliveries []delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.resetTo(s)
	w.batches = append(w.batches, deliveries)
	w.pending += len(deliveries)
}

func (w *window) resetTo(s *session) {
	if w.session != s {
		w.session, w.batches, w.first, w.pending = s, nil, 0, 0
	}
}

// size returns how many deliveries of s are not acknowledged.
func (w *window) size(s *session) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.resetTo(s)
	return w.pending
}

// done marks deliveries, and returns the session and the last delivery of the unbroken run at the front, which a cumulative
// acknowledgement may name; "" if there is none.
func (w *window) done(each func(yield func(*delivery))) (s *session, ack string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	each(func(d *delivery) {
		if d.session == w.session {
			d.done = true
		}
	})
	for len(w.batches) > 0 {
		batch := w.batches[0]
		for w.first < len(batch) && batch[w.first].done {
			ack = batch[w.first].ack
			w.first++
			w.pending--
		}
		if w.first < len(batch) {
			break
		}
		w.batches[0] = nil
		w.batches = w.batches[1:]
		w.first = 0
	}
	if ack != "" {
		select {
		case w.room <- struct{}{}:
		default:
		}
	}
	return w.session, ack
}
