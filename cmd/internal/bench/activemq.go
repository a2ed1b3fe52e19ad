package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-stomp/stomp/v3"

	"millrace/cmd/internal/proc"
	"millrace/connectors/activemq/activemqtest"
)

// prefetch and ackEvery are the connector's defaults: a bare consumer is given the same.
const (
	prefetch = 1000
	ackEvery = 100
)

// activeMQ measures a queue into a topic, next to bare go-stomp consumers of the same broker. All take their turns in each round, on
// queues filled the same way, since the broker becomes faster and its files larger with each; a round before the first is not counted.
func (b *bench) activeMQ(ctx context.Context) error {
	if !activemqtest.Installed() {
		fmt.Fprintln(os.Stderr, "activemq is not installed: its rows are left out")
		return nil
	}
	dir, err := os.MkdirTemp(b.dir, "activemq-")
	if err != nil {
		return err
	}
	broker, err := activemqtest.Start(ctx, dir, activemqtest.FullJIT())
	if err != nil {
		return err
	}
	defer broker.Stop()
	n := b.amount(100_000)
	w, stop, err := b.start(ctx)
	if err != nil {
		return err
	}
	defer stop()

	counts := []int{1, 4, 10}
	bare, source := make([][]sample, len(counts)), make([][]sample, len(counts))
	for round := range 1 + b.runs {
		for i, count := range counts {
			name := fmt.Sprintf("bare.%d.%d", count, round)
			if err := fill(broker.Stomp, name, n); err != nil {
				return err
			}
			var took time.Duration
			s, err := watch(nil, func() (err error) {
				took, err = drain(broker.Stomp, name, count, n)
				return err
			})
			if err != nil {
				return err
			}
			s.took = took
			t, err := b.fromActiveMQ(ctx, w, broker, fmt.Sprintf("source.%d.%d", count, round), count, n)
			if err != nil {
				return err
			}
			if round > 0 {
				bare[i], source[i] = append(bare[i], s), append(source[i], t)
			}
		}
	}
	best := sample{}
	for i, count := range counts {
		s := medianOf(bare[i])
		if i == 0 || s.took < best.took {
			best = s
		}
		b.add(row{name: fmt.Sprintf("limit: bare go-stomp, %d connections", count), rate: perSecond(n, s), client: perMillion(s.client, n), per: "million records"})
	}
	for i, count := range counts {
		s := medianOf(source[i])
		b.add(row{name: fmt.Sprintf("ActiveMQ -> topic, %d tasks", count), rate: fmt.Sprintf("%s, %.0f %% of the best limit", perSecond(n, s), 100*best.took.Seconds()/s.took.Seconds()),
			server: perMillion(s.server, n), per: "million records", rss: s.rss, note: disk})
	}
	return nil
}

// fromActiveMQ fills a queue and measures how a connector brings it into a topic of the same name: the time is from the first records
// seen there to the last.
func (b *bench) fromActiveMQ(ctx context.Context, w *proc.Worker, broker *activemqtest.Broker, name string, tasks, n int) (sample, error) {
	if err := fill(broker.Stomp, name, n); err != nil {
		return sample{}, err
	}
	var took time.Duration
	s, err := watch(w, func() error {
		if err := w.Create(ctx, name, map[string]string{"connector.class": "ActiveMQSourceConnector", "topic": name,
			"tasks.max": fmt.Sprint(tasks), "activemq.server_uris": "failover:(tcp://" + broker.Stomp + ")",
			"activemq.destination": name, "value.converter": stringConverter}); err != nil {
			return err
		}
		first, err := reached(ctx, w, name, 1)
		if err != nil {
			return err
		}
		begin := time.Now()
		if _, err = reached(ctx, w, name, int64(n)); err == nil {
			took = time.Duration(float64(time.Since(begin)) * float64(n) / float64(int64(n)-first))
		}
		return err
	})
	if err != nil {
		return s, err
	}
	s.took = took
	_, err = w.Do(ctx, "DELETE", "/connectors/"+name, nil)
	return s, err
}

func perSecond(n int, s sample) string {
	return fmt.Sprintf("%.0f/s", float64(n)/s.took.Seconds())
}

// fill sends n persistent messages of 100 bytes.
func fill(addr, queue string, n int) error {
	conn, err := stomp.Dial("tcp", addr, stomp.ConnOpt.HeartBeat(0, 0))
	if err != nil {
		return err
	}
	defer conn.MustDisconnect()
	body := make([]byte, 100)
	for i := range body {
		body[i] = 'x'
	}
	const each = 1000
	for sent := 0; sent < n; sent += each {
		tx := conn.Begin()
		for range min(each, n-sent) {
			if err := tx.Send("/queue/"+queue, "text/plain", body, stomp.SendOpt.Header("persistent", "true"), stomp.SendOpt.NoContentLength); err != nil {
				return err
			}
		}
		if err := tx.CommitWithReceipt(); err != nil {
			return err
		}
	}
	return nil
}

// drain takes n messages with bare consumers that acknowledge cumulatively. It returns the time from the first message to the last.
func drain(addr, queue string, conns, n int) (time.Duration, error) {
	var left atomic.Int64
	left.Store(int64(n))
	done := make(chan struct{})
	var wg sync.WaitGroup
	errs := make(chan error, conns)
	var once sync.Once
	var begin time.Time
	for range conns {
		conn, err := stomp.Dial("tcp", addr, stomp.ConnOpt.HeartBeat(0, 0))
		if err != nil {
			return 0, err
		}
		defer conn.MustDisconnect()
		sub, err := conn.Subscribe("/queue/"+queue, stomp.AckClient, stomp.SubscribeOpt.Header("activemq.prefetchSize", fmt.Sprint(prefetch)))
		if err != nil {
			return 0, err
		}
		wg.Go(func() {
			unacked := 0
			for {
				select {
				case m := <-sub.C:
					if m == nil || m.Err != nil {
						errs <- fmt.Errorf("subscription ended: %v", m)
						return
					}
					once.Do(func() { begin = time.Now() })
					if unacked++; unacked == ackEvery {
						if err := conn.Ack(m); err != nil {
							errs <- err
							return
						}
						unacked = 0
					}
					if left.Add(-1) == 0 {
						close(done)
					}
				case <-done:
					return
				}
			}
		})
	}
	select {
	case <-done:
		took := time.Since(begin)
		wg.Wait()
		return took, nil
	case err := <-errs:
		return 0, err
	case <-time.After(5 * time.Minute):
		return 0, fmt.Errorf("%d of %d messages did not come", left.Load(), n)
	}
}
