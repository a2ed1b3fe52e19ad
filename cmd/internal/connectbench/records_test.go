package connectbench_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/cmd/internal/proc"
)

// A path is a way of records through a worker: a file of lines, a topic, a file.
type path struct {
	name, topic  string
	source, sink map[string]string
	oursAlone    bool
}

const (
	converters = "org.apache.kafka.connect."
	transforms = "org.apache.kafka.connect.transforms."
)

func with(maps ...map[string]string) map[string]string {
	all := make(map[string]string)
	for _, m := range maps {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}

// paths are all that are measured; registry is the address of a schema registry.
func paths(registry string) []path {
	text := map[string]string{"value.converter": converters + "storage.StringConverter"}
	schemas := map[string]string{"value.converter": converters + "json.JsonConverter", "value.converter.schemas.enable": "true"}
	avro := map[string]string{"value.converter": "io.confluent.connect.avro.AvroConverter", "value.converter.schema.registry.url": registry}
	chain := map[string]string{
		"transforms":            "hoist,from,kind,names,route",
		"transforms.hoist.type": transforms + "HoistField$Value", "transforms.hoist.field": "line",
		"transforms.from.type": transforms + "InsertField$Value", "transforms.from.static.field": "source", "transforms.from.static.value": "bench",
		"transforms.kind.type": transforms + "InsertField$Value", "transforms.kind.static.field": "kind", "transforms.kind.static.value": "line",
		"transforms.names.type": transforms + "ReplaceField$Value", "transforms.names.renames": "line:text,kind:type",
		"transforms.route.type": transforms + "RegexRouter", "transforms.route.regex": "raw-(.*)", "transforms.route.replacement": "$1",
	}
	return []path{
		{name: "StringConverter", topic: "text", source: text, sink: text},
		{name: "JSON with schemas", topic: "json", source: schemas, sink: schemas},
		{name: "five transforms, JSON with schemas", topic: "chain", source: with(schemas, chain), sink: schemas},
		{name: "five transforms, Avro", topic: "avro", source: with(avro, chain), sink: avro, oursAlone: true},
	}
}

// A result is what one path took on one worker.
type result struct {
	path, worker string
	in, out      time.Duration // file -> topic, topic -> file
	cpu          time.Duration
	peak         int64
	records      int
}

// measure runs n records through p once, first in, then out, so that both rates are known.
func measure(ctx context.Context, w *worker, p path, round int, in string, n int) (r result, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 3*time.Minute, errors.New("not done within 3 minutes"))
	defer cancel()
	topic := fmt.Sprintf("%s-%d", p.topic, round)
	out := filepath.Join(filepath.Dir(in), "out-"+topic+".txt")
	defer func() { err = errors.Join(err, os.Remove(out)) }()
	r = result{path: p.name, worker: w.name, records: n}
	cpu, err := proc.CPU(w.pid())
	if err != nil {
		return r, err
	}
	if err := proc.ResetPeak(w.pid()); err != nil {
		return r, err
	}
	begin := time.Now()
	if err := w.create(ctx, "in-"+topic, with(p.source, map[string]string{"connector.class": "FileStreamSource", "file": in, "topic": "raw-" + topic})); err != nil {
		return r, err
	}
	if p.source["transforms"] == "" {
		topic = "raw-" + topic
	}
	if err := filled(ctx, w.kafka, topic, int64(n)); err != nil {
		return r, err
	}
	r.in = time.Since(begin)
	if err := w.delete(ctx, "in-"+fmt.Sprintf("%s-%d", p.topic, round)); err != nil {
		return r, err
	}
	begin = time.Now()
	if err := w.create(ctx, "out-"+topic, with(p.sink, map[string]string{"connector.class": "FileStreamSink", "file": out, "topics": topic})); err != nil {
		return r, err
	}
	if err := written(ctx, out, n); err != nil {
		return r, err
	}
	r.out = time.Since(begin)
	after, err := proc.CPU(w.pid())
	if err != nil {
		return r, err
	}
	r.cpu = after - cpu
	if r.peak, err = proc.PeakRSS(w.pid()); err != nil {
		return r, err
	}
	return r, w.delete(ctx, "out-"+topic)
}

// middle is the median of each figure.
func middle(results []result) result {
	r := results[0]
	median := func(figure func(result) int64) int64 {
		all := make([]int64, len(results))
		for i, one := range results {
			all[i] = figure(one)
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	r.in = time.Duration(median(func(r result) int64 { return int64(r.in) }))
	r.out = time.Duration(median(func(r result) int64 { return int64(r.out) }))
	r.cpu = time.Duration(median(func(r result) int64 { return int64(r.cpu) }))
	r.peak = median(func(r result) int64 { return r.peak })
	return r
}

// writeLines makes a file of n lines of 100 bytes, all different.
func writeLines(path string, n int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	for i := range n {
		if _, err := fmt.Fprintf(w, "%099d\n", i); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return errors.Join(w.Flush(), f.Close())
}

// filled waits until a topic has n records.
func filled(ctx context.Context, addr, topic string, n int64) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.MetadataMinAge(10*time.Millisecond))
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	var sum int64
	err = poll(ctx, func() (bool, error) {
		ends, err := adm.ListEndOffsets(ctx, topic)
		if err != nil {
			return false, err
		}
		sum = 0
		ends.Each(func(o kadm.ListedOffset) { sum += max(0, o.Offset) })
		return sum >= n, nil
	})
	if err != nil {
		return fmt.Errorf("topic %s has %d records: %w", topic, sum, err)
	}
	return nil
}

// written waits until a file has n lines.
func written(ctx context.Context, path string, n int) error {
	var f *os.File
	defer func() {
		if f != nil {
			_ = f.Close() // it was only read
		}
	}()
	block, lines := make([]byte, 1<<20), 0
	err := poll(ctx, func() (done bool, err error) {
		if f == nil {
			if f, err = os.Open(path); errors.Is(err, os.ErrNotExist) {
				f = nil
				return false, nil
			}
		}
		for err == nil {
			var read int
			read, err = f.Read(block)
			lines += bytes.Count(block[:read], []byte{'\n'})
		}
		if !errors.Is(err, io.EOF) {
			return false, err
		}
		return lines >= n, nil
	})
	if err != nil {
		return fmt.Errorf("%s has %d lines: %w", path, lines, err)
	}
	return nil
}

// records measures all paths on all workers, in turns.
func records(t *testing.T, workers []*worker, registry string, n, rounds int) []result {
	in := filepath.Join(t.TempDir(), "in.txt")
	check(t, writeLines(in, n))
	var results []result
	for _, p := range paths(registry) {
		of := make(map[*worker][]result)
		for round := range 1 + rounds {
			for i, w := range workers {
				if p.oursAlone && w.java {
					continue
				}
				r, err := measure(t.Context(), w, p, len(workers)*round+i, in, n)
				if err != nil {
					t.Fatalf("%s, %s: %v", w.name, p.name, err)
				}
				t.Logf("%s, %s, round %d: in %.2f s, out %.2f s, CPU %.2f s, peak %d MB", w.name, p.name, round, r.in.Seconds(), r.out.Seconds(), r.cpu.Seconds(), r.peak>>20)
				if round > 0 || rounds == 0 {
					of[w] = append(of[w], r)
				}
			}
		}
		for _, w := range workers {
			if len(of[w]) > 0 {
				results = append(results, middle(of[w]))
			}
		}
	}
	return results
}
