package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"millrace/broker/batch"
	"millrace/cmd/internal/proc"
)

const (
	pageCache = "page cache"
	disk      = "disk (group fdatasync)"
)

// topicConfigs makes an acknowledgement mean what the row says.
func topicConfigs(acknowledged string) map[string]*string {
	if acknowledged == disk {
		return nil
	}
	never := strconv.FormatInt(math.MaxInt64, 10)
	return map[string]*string{"flush.messages": &never}
}

// start starts a worker on an empty directory; the returned function ends it.
func (b *bench) start(ctx context.Context, extra ...string) (*proc.Worker, func(), error) {
	dir, err := os.MkdirTemp(b.dir, "data-")
	if err != nil {
		return nil, nil, err
	}
	w, err := proc.NewWorker(b.bin, dir, extra...)
	if err != nil {
		return nil, nil, err
	}
	w.Stderr = os.Stderr
	if os.Getenv("BENCH_LOGS") == "" {
		if w.Stderr, err = os.OpenFile(filepath.Join(b.dir, "worker.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
			return nil, nil, err
		}
	}
	if err := w.Start(); err != nil {
		return nil, nil, err
	}
	stop := func() {
		if err := w.Kill(); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	}
	if err := w.Ready(ctx); err != nil {
		stop()
		return nil, nil, err
	}
	return w, stop, nil
}

// log measures producing and fetching, with an ordinary client and with ready-made batches.
func (b *bench) log(ctx context.Context) error {
	// Deleted files go soon: the next run writes to memory that the machine has used before, as a log at work does.
	w, stop, err := b.start(ctx, "--set", "broker.log.segment.delete.delay.ms=100")
	if err != nil {
		return err
	}
	defer stop()
	for _, c := range []struct{ size, records int }{{100, 5_000_000}, {1024, 1_000_000}} {
		n := b.amount(c.records)
		topic := fmt.Sprintf("client-%d", c.size)
		for _, acknowledged := range []string{pageCache, disk} {
			s, err := b.median(ctx, func(ctx context.Context, _ int) (sample, error) {
				if err := recreate(ctx, w, topic, acknowledged); err != nil {
					return sample{}, err
				}
				return watch(w, func() error { return produce(ctx, w, topic, c.size, n) })
			})
			if err != nil {
				return err
			}
			b.add(logRow(fmt.Sprintf("produce %d B records, one client", c.size), c.size, n, s, acknowledged))
		}
		s, err := b.median(ctx, func(ctx context.Context, _ int) (sample, error) {
			return watch(w, func() error { return consume(ctx, w, topic, n) })
		})
		if err != nil {
			return err
		}
		b.add(logRow(fmt.Sprintf("fetch %d B records, one client", c.size), c.size, n, s, ""))
	}
	if err := b.batches(ctx, w); err != nil {
		return err
	}
	if err := b.single(ctx, w); err != nil {
		return err
	}
	return b.latency(ctx, w)
}

func logRow(name string, size, n int, s sample, acknowledged string) row {
	perSecond := float64(n) / s.took.Seconds()
	return row{
		name: name, rate: fmt.Sprintf("%.0f/s, %.0f MB/s", perSecond, perSecond*float64(size)/1e6),
		client: perMillion(s.client, n), server: perMillion(s.server, n), per: "million records", rss: s.rss, note: acknowledged,
	}
}

func recreate(ctx context.Context, w *proc.Worker, topic, acknowledged string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.Kafka))
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	if _, err := adm.DeleteTopic(ctx, topic); err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
		return err
	}
	_, err = adm.CreateTopic(ctx, 1, 1, topicConfigs(acknowledged), topic)
	return err
}

func produce(ctx context.Context, w *proc.Worker, topic string, size, n int) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.Kafka), kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.MaxBufferedRecords(50_000), kgo.ProducerLinger(0))
	if err != nil {
		return err
	}
	defer cl.Close()
	value := make([]byte, size)
	var failed atomic.Pointer[error]
	done := func(_ *kgo.Record, err error) {
		if err != nil {
			failed.CompareAndSwap(nil, &err)
		}
	}
	const slab = 1000
	for i := 0; i < n; i += slab {
		records := make([]kgo.Record, min(slab, n-i))
		for j := range records {
			records[j].Value = value
			cl.Produce(ctx, &records[j], done)
		}
	}
	if err := cl.Flush(ctx); err != nil {
		return err
	}
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

func consume(ctx context.Context, w *proc.Worker, topic string, n int) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.Kafka), kgo.ConsumeTopics(topic), kgo.FetchMaxBytes(8<<20), kgo.FetchMaxPartitionBytes(8<<20),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer cl.Close()
	for got := 0; got < n; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		got += fetches.NumRecords()
	}
	return nil
}

// batches sends and fetches ready-made batches, so that the client costs as little as it can.
func (b *bench) batches(ctx context.Context, w *proc.Worker) error {
	const topic, size, inFlight = "batches", 1024, 5
	ready, perBatch, err := readyBatch(size)
	if err != nil {
		return err
	}
	for _, acknowledged := range []string{pageCache, disk} {
		count := b.amount(1_000_000) / perBatch
		n := count * perBatch
		s, err := b.median(ctx, func(ctx context.Context, _ int) (sample, error) {
			if err := recreate(ctx, w, topic, acknowledged); err != nil {
				return sample{}, err
			}
			return watch(w, func() error { return send(ctx, w, topic, ready, count, inFlight) })
		})
		if err != nil {
			return err
		}
		b.add(logRow("produce ready-made 64 KiB batches of 1 KiB records", size, n, s, acknowledged))
	}
	count := b.amount(1_000_000) / perBatch
	n := count * perBatch
	s, err := b.median(ctx, func(ctx context.Context, _ int) (sample, error) {
		return watch(w, func() error { return fetchAll(ctx, w, topic, int64(n)) })
	})
	if err != nil {
		return err
	}
	b.add(logRow("fetch 1 KiB records, batches not opened", size, n, s, ""))
	return nil
}

// single sends one record a request and waits for each answer.
func (b *bench) single(ctx context.Context, w *proc.Worker) error {
	var builder batch.Builder
	builder.Reset(batch.NoProducer())
	builder.Add(time.Now().UnixMilli(), nil, make([]byte, 1024))
	one, _, err := builder.Build(nil)
	if err != nil {
		return err
	}
	for _, acknowledged := range []string{pageCache, disk} {
		n := b.amount(20_000)
		if acknowledged == disk {
			n = b.amount(5_000)
		}
		s, err := b.median(ctx, func(ctx context.Context, _ int) (sample, error) {
			if err := recreate(ctx, w, "single", acknowledged); err != nil {
				return sample{}, err
			}
			return watch(w, func() error { return send(ctx, w, "single", one, n, 1) })
		})
		if err != nil {
			return err
		}
		b.add(logRow("produce one 1 KiB record a request, one at a time", 1024, n, s, acknowledged))
	}
	return nil
}

func readyBatch(size int) (encoded []byte, records int, err error) {
	var builder batch.Builder
	builder.Reset(batch.NoProducer())
	value := make([]byte, size)
	for builder.Size()+size+16 <= 64<<10 {
		builder.Add(time.Now().UnixMilli(), nil, value)
	}
	records = builder.Count()
	encoded, _, err = builder.Build(nil)
	return encoded, records, err
}

// send produces count copies of a batch with inFlight requests on the way, acks=all.
func send(ctx context.Context, w *proc.Worker, topic string, encoded []byte, count, inFlight int) error {
	cl, err := rawClient(w)
	if err != nil {
		return err
	}
	defer cl.Close()
	var left atomic.Int64
	left.Store(int64(count))
	var wg sync.WaitGroup
	errs := make([]error, inFlight)
	for i := range inFlight {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if errs[i] = sendOne(ctx, cl, topic, encoded); errs[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// rawClient returns a client for hand-made requests, which name topics: later versions than these send topic ids.
func rawClient(w *proc.Worker) (*kgo.Client, error) {
	return kgo.NewClient(kgo.SeedBrokers(w.Kafka), kgo.MaxVersions(kversion.V2_8_0()))
}

func sendOne(ctx context.Context, cl *kgo.Client, topic string, encoded []byte) error {
	req := kmsg.NewPtrProduceRequest()
	req.Version = 9
	req.Acks = -1
	req.TimeoutMillis = 30_000
	p := kmsg.NewProduceRequestTopicPartition()
	p.Records = encoded
	t := kmsg.NewProduceRequestTopic()
	t.Topic = topic
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := cl.Broker(1).Request(ctx, req)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode)
}

// fetchAll fetches a partition up to end without looking into the batches beyond their headers.
func fetchAll(ctx context.Context, w *proc.Worker, topic string, end int64) error {
	cl, err := rawClient(w)
	if err != nil {
		return err
	}
	defer cl.Close()
	for offset := int64(0); offset < end; {
		req := kmsg.NewPtrFetchRequest()
		req.Version = 12
		req.MaxWaitMillis, req.MinBytes, req.MaxBytes = 500, 1, 16<<20
		p := kmsg.NewFetchRequestTopicPartition()
		p.FetchOffset, p.PartitionMaxBytes = offset, 4<<20
		t := kmsg.NewFetchRequestTopic()
		t.Topic = topic
		t.Partitions = append(t.Partitions, p)
		req.Topics = append(req.Topics, t)
		resp, err := cl.Broker(1).Request(ctx, req)
		if err != nil {
			return err
		}
		answer := resp.(*kmsg.FetchResponse)
		if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
			return err
		}
		part := answer.Topics[0].Partitions[0]
		if err := kerr.ErrorForCode(part.ErrorCode); err != nil {
			return err
		}
		for rest := part.RecordBatches; len(rest) > 0; {
			var first batch.Batch
			if first, rest, err = batch.Frame(rest); errors.Is(err, batch.ErrShort) {
				break // the last batch of an answer may be cut
			} else if err != nil {
				return err
			}
			offset = first.LastOffset() + 1
		}
	}
	return nil
}

// latency sends 10,000 records a second and measures each one's way from the producer to a consumer.
func (b *bench) latency(ctx context.Context, w *proc.Worker) error {
	const topic, rate = "latency", 10_000
	if err := recreate(ctx, w, topic, pageCache); err != nil {
		return err
	}
	n := b.amount(100_000)
	var p50, p99 []time.Duration
	var client, server []time.Duration
	for range b.runs {
		var took []time.Duration
		s, err := watch(w, func() (err error) {
			took, err = endToEnd(ctx, w, topic, n, rate)
			return err
		})
		if err != nil {
			return err
		}
		slices.Sort(took)
		p50 = append(p50, took[len(took)/2])
		p99 = append(p99, took[len(took)*99/100])
		client, server = append(client, s.client), append(server, s.server)
	}
	for _, d := range [][]time.Duration{p50, p99, client, server} {
		slices.Sort(d)
	}
	mid := b.runs / 2
	b.add(row{name: "end to end at 10,000 records a second", rate: fmt.Sprintf("%.1f ms p50, %.1f ms p99", float64(p50[mid].Microseconds())/1e3, float64(p99[mid].Microseconds())/1e3),
		client: perMillion(client[mid], n), server: perMillion(server[mid], n), per: "million records", note: pageCache})
	return nil
}

func endToEnd(ctx context.Context, w *proc.Worker, topic string, n, rate int) ([]time.Duration, error) {
	consumer, err := kgo.NewClient(kgo.SeedBrokers(w.Kafka), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()), kgo.FetchMaxWait(500*time.Millisecond))
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	producer, err := kgo.NewClient(kgo.SeedBrokers(w.Kafka), kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerLinger(0))
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	// A consumer at the end first needs to know where the end is: records without a time say when it does.
	ready := make(chan struct{})
	go func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			producer.Produce(ctx, &kgo.Record{Value: []byte("0")}, nil)
			select {
			case <-tick.C:
			case <-ready:
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	took := make([]time.Duration, 0, n)
	var sending sync.WaitGroup
	defer sending.Wait()
	for first := true; len(took) < n; {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		now := time.Now().UnixNano()
		fetches.EachRecord(func(r *kgo.Record) {
			if sent, err := strconv.ParseInt(string(r.Value), 10, 64); err == nil && sent > 0 {
				took = append(took, time.Duration(now-sent))
			}
		})
		if first {
			first = false
			close(ready)
			sending.Go(func() { pace(ctx, producer, n, rate) })
		}
	}
	return took, nil
}

// pace produces n records that carry the time of their sending, evenly spread in steps of a millisecond.
func pace(ctx context.Context, producer *kgo.Client, n, rate int) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	begin := time.Now()
	for sent := 0; sent < n; {
		due := min(n, int(time.Since(begin).Seconds()*float64(rate)))
		for ; sent < due; sent++ {
			producer.Produce(ctx, &kgo.Record{Value: strconv.AppendInt(nil, time.Now().UnixNano(), 10)}, nil)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
