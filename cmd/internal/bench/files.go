package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/cmd/internal/proc"
)

const stringConverter = "org.apache.kafka.connect.storage.StringConverter"

// files measures a file into a topic and that topic into a file, lines of 100 bytes.
func (b *bench) files(ctx context.Context) error {
	n := b.amount(3_000_000)
	in := filepath.Join(b.dir, "in.txt")
	size, err := writeLines(in, n)
	if err != nil {
		return err
	}
	w, stop, err := b.start(ctx)
	if err != nil {
		return err
	}
	defer stop()

	topic := ""
	s, err := b.median(ctx, func(ctx context.Context, run int) (sample, error) {
		topic = fmt.Sprintf("lines-%d", run)
		name := "source-" + topic
		s, err := watch(w, func() error {
			if err := w.Create(ctx, name, map[string]string{"connector.class": "FileStreamSource", "file": in, "topic": topic, "value.converter": stringConverter}); err != nil {
				return err
			}
			_, err := reached(ctx, w, topic, int64(n))
			return err
		})
		if err != nil {
			return s, err
		}
		_, err = w.Do(ctx, "DELETE", "/connectors/"+name, nil)
		return s, err
	})
	if err != nil {
		return err
	}
	b.add(linesRow("file -> topic, lines of 100 B", n, s, disk))

	s, err = b.median(ctx, func(ctx context.Context, run int) (sample, error) {
		out := filepath.Join(b.dir, fmt.Sprintf("out-%d.txt", run))
		defer os.Remove(out)
		name := fmt.Sprintf("sink-%d", run)
		s, err := watch(w, func() error {
			if err := w.Create(ctx, name, map[string]string{"connector.class": "FileStreamSink", "file": out, "topics": topic, "value.converter": stringConverter}); err != nil {
				return err
			}
			return grown(ctx, out, size)
		})
		if err != nil {
			return s, err
		}
		_, err = w.Do(ctx, "DELETE", "/connectors/"+name, nil)
		return s, err
	})
	if err != nil {
		return err
	}
	b.add(linesRow("topic -> file, lines of 100 B", n, s, ""))
	return nil
}

func linesRow(name string, n int, s sample, acknowledged string) row {
	return row{name: name, rate: fmt.Sprintf("%.0f lines/s", float64(n)/s.took.Seconds()), server: perMillion(s.server, n), per: "million records", rss: s.rss, note: acknowledged}
}

func writeLines(path string, n int) (size int64, err error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	for i := range n {
		c, err := fmt.Fprintf(w, "%099d\n", i)
		if err != nil {
			return 0, err
		}
		size += int64(c)
	}
	return size, w.Flush()
}

// reached waits until the topic has n records, and returns how many it has then.
func reached(ctx context.Context, w *proc.Worker, topic string, n int64) (records int64, err error) {
	// Without this the client would believe for seconds that the topic does not exist.
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.Kafka), kgo.MetadataMinAge(10*time.Millisecond))
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	err = poll(ctx, func() (bool, error) {
		ends, err := adm.ListEndOffsets(ctx, topic)
		if err != nil {
			return false, err
		}
		records = 0
		ends.Each(func(o kadm.ListedOffset) {
			if o.Err == nil {
				records += o.Offset
			}
		})
		return records >= n, nil
	})
	return records, err
}

// grown waits until a file has size bytes.
func grown(ctx context.Context, path string, size int64) error {
	return poll(ctx, func() (bool, error) {
		info, err := os.Stat(path)
		if os.IsNotExist(err) {
			return false, nil
		}
		return err == nil && info.Size() >= size, err
	})
}

// poll asks every 20 ms, so that asking costs next to nothing, for five minutes at most.
func poll(ctx context.Context, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
