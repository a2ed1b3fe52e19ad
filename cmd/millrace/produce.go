package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
)

type produceFlags struct {
	kafkaFlags
	separator   string
	partition   int32
	headers     []string
	acks        string
	compression string
	tombstone   bool
}

func newProduce() *cobra.Command {
	f := &produceFlags{}
	cmd := &cobra.Command{
		Use: "produce TOPIC [VALUE...]", Short: "Write records to a topic: the values given, or one a line of standard input",
		Example: "  millrace produce orders first second\n  millrace produce orders --key-separator : < orders.txt",
		Args:    minArgs("TOPIC"), ValidArgsFunction: f.topicNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, args[0], args[1:])
		},
	}
	f.register(cmd)
	cmd.Flags().StringVarP(&f.separator, "key-separator", "k", "", "`text` between key and value; without it records have no key")
	cmd.Flags().Int32VarP(&f.partition, "partition", "p", -1, "partition to write to; -1 goes by the key")
	cmd.Flags().StringArrayVarP(&f.headers, "header", "H", nil, "record header `key=value`; may be repeated")
	cmd.Flags().StringVar(&f.acks, "acks", "all", "what to wait for: all, 1 or 0")
	cmd.Flags().StringVarP(&f.compression, "compression", "z", "none", "none, gzip, snappy, lz4 or zstd")
	cmd.Flags().BoolVar(&f.tombstone, "tombstone", false, "write a null where the value is empty")
	complete(cmd, "acks", "all", "1", "0")
	complete(cmd, "compression", "none", "gzip", "snappy", "lz4", "zstd")
	return cmd
}

func (f *produceFlags) options() ([]kgo.Opt, error) {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	codec, ok := codecs[f.compression]
	if !ok {
		return nil, usagef("--compression %s: want none, gzip, snappy, lz4 or zstd", f.compression)
	}
	opts := []kgo.Opt{kgo.ProducerBatchCompression(codec), kgo.RecordDeliveryTimeout(f.timeout), kgo.AllowAutoTopicCreation()}
	switch f.acks {
	case "all", "-1":
	case "1":
		opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	case "0":
		opts = append(opts, kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite())
	default:
		return nil, usagef("--acks %s: want all, 1 or 0", f.acks)
	}
	if f.partition >= 0 {
		opts = append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	return opts, nil
}

func (f *produceFlags) run(cmd *cobra.Command, topic string, values []string) error {
	opts, err := f.options()
	if err != nil {
		return err
	}
	headers, err := f.recordHeaders()
	if err != nil {
		return err
	}
	client, err := f.connect(cmd.Context(), opts...)
	if err != nil {
		return err
	}
	defer client.Close()
	in := cmd.InOrStdin()
	if len(values) > 0 {
		in = strings.NewReader(strings.Join(values, "\n") + "\n")
	}
	p := &producing{client: client, out: cmd.OutOrStdout(), json: f.out == asJSON}
	lines := bufio.NewReaderSize(in, 64<<10)
	for p.failed() == nil {
		line, err := lines.ReadString('\n')
		if line != "" {
			p.send(cmd.Context(), f.record(topic, strings.TrimSuffix(line, "\n"), headers))
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("standard input: %w", err)
		}
	}
	if err := client.Flush(cmd.Context()); err != nil {
		return err
	}
	if err := p.failed(); err != nil {
		return fmt.Errorf("topic %s: %w (%d records were written)", topic, err, p.count.Load())
	}
	if f.out == asTable {
		fmt.Fprintf(cmd.ErrOrStderr(), "%d records written to %s\n", p.count.Load(), topic)
	}
	return nil
}

func (f *produceFlags) recordHeaders() ([]kgo.RecordHeader, error) {
	var headers []kgo.RecordHeader
	for _, h := range f.headers {
		k, v, ok := strings.Cut(h, "=")
		if !ok {
			return nil, usagef("--header %q: want key=value", h)
		}
		headers = append(headers, kgo.RecordHeader{Key: k, Value: []byte(v)})
	}
	return headers, nil
}

func (f *produceFlags) record(topic, line string, headers []kgo.RecordHeader) *kgo.Record {
	r := &kgo.Record{Topic: topic, Headers: headers, Partition: f.partition}
	value := line
	if f.separator != "" {
		if k, v, ok := strings.Cut(line, f.separator); ok {
			r.Key, value = []byte(k), v
		}
	}
	if value != "" || !f.tombstone {
		r.Value = []byte(value)
	}
	return r
}

// producing counts what was acknowledged and keeps the first error.
type producing struct {
	client *kgo.Client
	out    io.Writer
	json   bool
	count  atomic.Int64

	mu  sync.Mutex
	err error
}

func (p *producing) failed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (p *producing) send(ctx context.Context, r *kgo.Record) {
	p.client.Produce(ctx, r, func(r *kgo.Record, err error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if err == nil {
			p.count.Add(1)
			if p.json {
				err = json.NewEncoder(p.out).Encode(struct {
					Topic     string `json:"topic"`
					Partition int32  `json:"partition"`
					Offset    int64  `json:"offset"`
				}{r.Topic, r.Partition, r.Offset})
			}
		}
		if err != nil && p.err == nil {
			p.err = err
		}
	})
}
