package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-stomp/stomp/v3"

	"millrace/connectors/activemq/activemqtest"
)

// prefetch and ackEvery are the connector's defaults: a bare consumer is given the same.
const (
	prefetch = 1000
	ackEvery = 100
)

// activeMQ measures a queue into a topic, next to bare go-stomp consumers of the same broker.
func (b *bench) activeMQ(ctx context.Context) error {
	if !activemqtest.Installed() {
		fmt.Fprintln(os.Stderr, "activemq is not installed: its rows are left out")
		return nil
	}
	dir, err := os.MkdirTemp(b.dir, "activemq-")
	if err != nil {
		return err
	}
	broker, err := activemqtest.Start(ctx, dir)
	if err != nil {
		return err
	}
	defer broker.Stop()
	n := b.amount(100_000)

	best := sample{}
	bestConns := 0
	for _, conns := range []int{1, 4, 10} {
		s, err := b.median(ctx, func(ctx context.Context, run int) (sample, error) {
			queue := fmt.Sprintf("bare.%d.%d", conns, run)
			if err := fill(broker.Stomp, queue, n); err != nil {
				return sample{}, err
			}
			return watch(nil, func() error { return drain(broker.Stomp, queue, conns, n) })
		})
		if err != nil {
			return err
		}
		if bestConns == 0 || s.took < best.took {
			best, bestConns = s, conns
		}
	}
	b.add(row{name: fmt.Sprintf("limit: bare go-stomp consumer, %d connections", bestConns), rate: perSecond(n, best), client: perMillion(best.client, n), per: "million records"})

	for _, tasks := range []int{1, 4} {
		s, err := b.median(ctx, func(ctx context.Context, run int) (sample, error) {
			w, stop, err := b.start(ctx)
			if err != nil {
				return sample{}, err
			}
			defer stop()
			queue := fmt.Sprintf("source.%d.%d", tasks, run)
			if err := fill(broker.Stomp, queue, n); err != nil {
				return sample{}, err
			}
			return watch(w, func() error {
				if err := w.Create(ctx, "activemq", map[string]string{"connector.class": "ActiveMQSourceConnector", "topics": "activemq",
					"tasks.max": fmt.Sprint(tasks), "activemq.server_uris": "failover:(tcp://" + broker.Stomp + ")",
					"activemq.destination": queue, "value.converter": stringConverter}); err != nil {
					return err
				}
				return reached(ctx, w, "activemq", int64(n))
			})
		})
		if err != nil {
			return err
		}
		b.add(row{name: fmt.Sprintf("ActiveMQ -> topic, %d tasks", tasks), rate: fmt.Sprintf("%s, %.0f %% of the limit", perSecond(n, s), 100*best.took.Seconds()/s.took.Seconds()),
			server: perMillion(s.server, n), per: "million records", rss: s.rss, note: disk})
	}
	return nil
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

// drain takes n messages with bare consumers that acknowledge cumulatively.
func drain(addr, queue string, conns, n int) error {
	var left atomic.Int64
	left.Store(int64(n))
	done := make(chan struct{})
	var wg sync.WaitGroup
	errs := make(chan error, conns)
	for range conns {
		conn, err := stomp.Dial("tcp", addr, stomp.ConnOpt.HeartBeat(0, 0))
		if err != nil {
			return err
		}
		defer conn.MustDisconnect()
		sub, err := conn.Subscribe("/queue/"+queue, stomp.AckClient, stomp.SubscribeOpt.Header("activemq.prefetchSize", fmt.Sprint(prefetch)))
		if err != nil {
			return err
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
	var err error
	select {
	case <-done:
	case err = <-errs:
	case <-time.After(5 * time.Minute):
		err = fmt.Errorf("%d of %d messages did not come", left.Load(), n)
	}
	if err == nil {
		wg.Wait()
	}
	return err
}
