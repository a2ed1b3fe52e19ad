package broker_test

import (
	"context"
	"fmt"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/broker"
)

// A broker in the process, and a client that reaches it in memory.
func Example() {
	dir, err := os.MkdirTemp("", "broker")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	cfg, err := broker.ParseConfig(map[string]string{"log.dirs": dir, "listeners": "PLAINTEXT://127.0.0.1:0"})
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := broker.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	select {
	case <-b.Ready():
	case err := <-ended:
		fmt.Println(err)
		return
	}

	client, err := kgo.NewClient(kgo.SeedBrokers(b.Advertised()...), kgo.Dialer(b.DialContext), kgo.AllowAutoTopicCreation())
	if err != nil {
		fmt.Println(err)
		return
	}
	record, err := client.ProduceSync(ctx, &kgo.Record{Topic: "orders", Value: []byte("one")}).First()
	fmt.Println(record.Topic, record.Offset, err)
	client.Close()
	stop()
	fmt.Println(<-ended)
	// Output:
	// orders 0 <nil>
	// <nil>
}
