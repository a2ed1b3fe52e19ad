package crashtest

import (
	"context"
	"fmt"
	"sync"

	"github.com/go-stomp/stomp/v3"
)

// ActiveMQFlow goes from one queue of the ActiveMQ at addr (STOMP) through a topic into another.
func ActiveMQFlow(addr string) (Flow, error) {
	const in, out = "/queue/crash.in", "/queue/crash.out"
	uri := "failover:(tcp://" + addr + ")"
	producer, err := stomp.Dial("tcp", addr, stomp.ConnOpt.HeartBeat(0, 0))
	if err != nil {
		return Flow{}, err
	}
	return Flow{
		Name: "ActiveMQ -> topic -> ActiveMQ",
		Connectors: []Connector{
			{"activemq-sink", 1, map[string]string{"connector.class": "ActiveMQSinkConnector", "topics": "crash-activemq", "activemq.server_uris": uri,
				"activemq.destination": "crash.out", "value.converter": stringConverter}},
			{"activemq-source", 2, map[string]string{"connector.class": "ActiveMQSourceConnector", "topics": "crash-activemq", "tasks.max": "2", "activemq.server_uris": uri,
				"activemq.destination": "crash.in", "value.converter": stringConverter}},
		},
		Feed: func(_ context.Context, from, to int) error {
			tx := producer.Begin()
			for seq := from; seq < to; seq++ {
				if err := tx.Send(in, "text/plain", []byte(payload(seq)), stomp.SendOpt.Header("persistent", "true"), stomp.SendOpt.NoContentLength); err != nil {
					return err
				}
			}
			return tx.CommitWithReceipt()
		},
		Collect: func(ctx context.Context, seen func(int)) error { return collectQueue(ctx, addr, out, seen) },
	}, nil
}

// collectQueue reads a queue until ctx ends; every message is acknowledged by itself, and counted by this process.
func collectQueue(ctx context.Context, addr, destination string, seen func(int)) error {
	conn, err := stomp.Dial("tcp", addr, stomp.ConnOpt.HeartBeat(0, 0))
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() {
		<-ctx.Done()
		_ = conn.MustDisconnect() // nothing is under way that would matter
	})
	sub, err := conn.Subscribe(destination, stomp.AckAuto)
	if err != nil {
		return err
	}
	for m := range sub.C {
		if m.Err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return m.Err
		}
		seq, err := sequence(m.Body)
		if err != nil {
			return fmt.Errorf("a message that nobody sent: %q", m.Body)
		}
		seen(seq)
	}
	return nil
}
