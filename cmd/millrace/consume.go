package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

type consumeFlags struct {
	kafkaFlags
	beginning  bool
	offset     string
	from       string
	partition  int32
	group      string
	max        int
	untilEnd   bool
	idle       time.Duration
	printKey   bool
	printPlace bool
}

func newConsume() *cobra.Command {
	f := &consumeFlags{}
	cmd := &cobra.Command{
		Use: "consume TOPIC...", Short: "Read records of topics and show them as they come",
		Example: "  millrace consume orders --from-beginning\n  millrace consume orders --from 1h -o json",
		Args:    minArgs("TOPIC"), ValidArgsFunction: f.topicNames,
		RunE: func(cmd *cobra.Command, topics []string) error {
			for _, flags := range [][]string{{"from-beginning", "offset", "from"}, {"group", "partition"}, {"group", "offset"}} {
				if err := oneOf(cmd, flags...); err != nil {
					return err
				}
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return f.run(ctx, cmd, topics)
		},
	}
	f.register(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.beginning, "from-beginning", false, "start at the oldest record")
	flags.StringVar(&f.offset, "offset", "", "start at this `offset`; -N is N records before the end")
	flags.StringVar(&f.from, "from", "", "start at a `time`: RFC 3339, or how long ago (90s, 1h)")
	flags.Int32VarP(&f.partition, "partition", "p", -1, "read this partition only; -1 reads all")
	flags.StringVarP(&f.group, "group", "g", "", "read as a member of this group and commit what was shown")
	flags.IntVarP(&f.max, "max-records", "n", 0, "end after so many records; 0 does not end")
	flags.BoolVar(&f.untilEnd, "until-end", false, "end where the topics ended at the start")
	flags.DurationVar(&f.idle, "idle-timeout", 0, "end when no record comes for so long; 0 waits")
	flags.BoolVar(&f.printKey, "print-key", false, "show the key and a tab before each value")
	flags.BoolVar(&f.printPlace, "print-offset", false, "show partition and offset before each record")
	return cmd
}

// start returns where to begin reading.
func (f *consumeFlags) start(now time.Time) (kgo.Offset, error) {
	switch {
	case f.beginning:
		return kgo.NewOffset().AtStart(), nil
	case f.offset != "":
		n, err := strconv.ParseInt(f.offset, 10, 64)
		if err != nil {
			return kgo.Offset{}, usagef("--offset %s: want a whole number", f.offset)
		}
		if n < 0 {
			return kgo.NewOffset().AtEnd().Relative(n), nil
		}
		return kgo.NewOffset().At(n), nil
	case f.from != "":
		at, err := parseTime(f.from, now)
		if err != nil {
			return kgo.Offset{}, usagef("--from %s: %w", f.from, err)
		}
		return kgo.NewOffset().AfterMilli(at.UnixMilli()), nil
	}
	return kgo.NewOffset().AtEnd(), nil
}

func parseTime(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, errors.New("want a time like 2026-01-31T10:00:00Z or how long ago, like 90s")
	}
	return at, nil
}

func (f *consumeFlags) run(ctx context.Context, cmd *cobra.Command, topics []string) error {
	start, err := f.start(time.Now())
	if err != nil {
		return err
	}
	ends, err := f.checkTopics(ctx, topics)
	if err != nil {
		return err
	}
	opts := []kgo.Opt{kgo.ConsumeResetOffset(start), kgo.FetchMaxWait(500 * time.Millisecond)}
	switch {
	case f.group != "":
		opts = append(opts, kgo.ConsumerGroup(f.group), kgo.ConsumeTopics(topics...), kgo.DisableAutoCommit())
	case f.partition >= 0:
		chosen := make(map[string]map[int32]kgo.Offset)
		for _, t := range topics {
			chosen[t] = map[int32]kgo.Offset{f.partition: start}
		}
		opts = append(opts, kgo.ConsumePartitions(chosen))
	default:
		opts = append(opts, kgo.ConsumeTopics(topics...))
	}
	client, err := f.connect(ctx, opts...)
	if err != nil {
		return err
	}
	defer client.Close()
	r := &reading{f: f, out: bufio.NewWriter(cmd.OutOrStdout()), ends: ends}
	return r.all(ctx, client)
}

// checkTopics refuses topics that do not exist and returns the ends that --until-end waits for.
func (f *consumeFlags) checkTopics(ctx context.Context, topics []string) (ends map[partitionKey]int64, err error) {
	err = f.admin(ctx, func(ctx context.Context, c *kadm.Client) error {
		details, err := awaitTopics(ctx, c, topics)
		if err != nil {
			return err
		}
		for _, t := range details.Sorted() {
			if _, ok := t.Partitions[f.partition]; f.partition >= 0 && !ok {
				return &failure{code: exitNotFound, err: fmt.Errorf("topic %s has no partition %d: it has %d", t.Topic, f.partition, len(t.Partitions))}
			}
		}
		if !f.untilEnd {
			return nil
		}
		starts, err := c.ListStartOffsets(ctx, topics...)
		if err != nil {
			return err
		}
		listed, err := c.ListEndOffsets(ctx, topics...)
		if err != nil {
			return err
		}
		ends = make(map[partitionKey]int64)
		listed.Each(func(o kadm.ListedOffset) {
			first, _ := starts.Lookup(o.Topic, o.Partition)
			if (f.partition < 0 || o.Partition == f.partition) && o.Offset > first.Offset {
				ends[partitionKey{o.Topic, o.Partition}] = o.Offset
			}
		})
		return nil
	})
	return ends, err
}

// topicPatience is how long a topic may be missing: a connector that has just been created makes its topic in a moment.
const topicPatience = 3 * time.Second

func awaitTopics(ctx context.Context, c *kadm.Client, topics []string) (kadm.TopicDetails, error) {
	patience := time.NewTimer(topicPatience)
	defer patience.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		details, err := c.ListTopicsWithInternal(ctx, topics...)
		if err != nil {
			return nil, err
		}
		for _, t := range details.Sorted() {
			err = errors.Join(err, named("topic "+t.Topic, t.Err, ""))
		}
		if err == nil || !errors.Is(err, kerr.UnknownTopicOrPartition) {
			return details, err
		}
		select {
		case <-tick.C:
		case <-patience.C:
			return nil, err
		case <-ctx.Done():
			return nil, err
		}
	}
}

type partitionKey struct {
	topic     string
	partition int32
}

// reading shows records until one of the ends that the flags name.
type reading struct {
	f     *consumeFlags
	out   *bufio.Writer
	ends  map[partitionKey]int64 // with --until-end: what is still to come
	shown int
	// uncommitted were shown since the last commit.
	uncommitted []*kgo.Record
}

func (r *reading) all(ctx context.Context, client *kgo.Client) error {
	for !r.done() {
		poll, cancel := ctx, context.CancelFunc(func() {})
		if r.f.idle > 0 {
			poll, cancel = context.WithTimeout(ctx, r.f.idle)
		}
		fetches := client.PollFetches(poll)
		idle := poll.Err() != nil
		cancel()
		if err := r.show(fetches); err != nil {
			return err
		}
		if err := r.out.Flush(); err != nil {
			return err
		}
		if r.f.group != "" && len(r.uncommitted) > 0 {
			// What was shown is committed even when ctx has just ended.
			if err := client.CommitRecords(context.WithoutCancel(ctx), r.uncommitted...); err != nil {
				return fmt.Errorf("commit of group %s: %w", r.f.group, err)
			}
			r.uncommitted = r.uncommitted[:0]
		}
		if idle {
			return nil
		}
		if err := fetches.Err0(); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

func (r *reading) done() bool {
	return r.f.max > 0 && r.shown >= r.f.max || r.f.untilEnd && len(r.ends) == 0
}

func (r *reading) show(fetches kgo.Fetches) error {
	var failed error
	fetches.EachError(func(topic string, partition int32, err error) {
		if failed == nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			failed = fmt.Errorf("topic %s partition %d: %w", topic, partition, err)
		}
	})
	for it := fetches.RecordIter(); !it.Done() && failed == nil && !r.done(); {
		record := it.Next()
		failed = r.write(record)
		r.shown++
		if r.f.group != "" {
			r.uncommitted = append(r.uncommitted, record)
		}
		at := partitionKey{record.Topic, record.Partition}
		if end, ok := r.ends[at]; ok && record.Offset+1 >= end {
			delete(r.ends, at)
		}
	}
	return failed
}

type recordView struct {
	Topic     string       `json:"topic"`
	Partition int32        `json:"partition"`
	Offset    int64        `json:"offset"`
	Timestamp string       `json:"timestamp"`
	Key       *string      `json:"key"`
	Value     *string      `json:"value"`
	Headers   []headerView `json:"headers,omitempty"`
	// Base64 names the members that are no text and were written in base64.
	Base64 []string `json:"base64,omitempty"`
}

type headerView struct {
	Key   string  `json:"key"`
	Value *string `json:"value"`
}

func (r *reading) write(record *kgo.Record) error {
	if r.f.out == asJSON {
		v := recordView{
			Topic: record.Topic, Partition: record.Partition, Offset: record.Offset,
			Timestamp: record.Timestamp.UTC().Format("2006-01-02T15:04:05.000Z07:00"),
		}
		v.Key = v.text("key", record.Key)
		v.Value = v.text("value", record.Value)
		for _, h := range record.Headers {
			v.Headers = append(v.Headers, headerView{h.Key, v.text("headers."+h.Key, h.Value)})
		}
		e := json.NewEncoder(r.out)
		e.SetEscapeHTML(false)
		return e.Encode(v)
	}
	if r.f.printPlace {
		fmt.Fprintf(r.out, "%s-%d@%d\t", record.Topic, record.Partition, record.Offset)
	}
	if r.f.printKey {
		fmt.Fprintf(r.out, "%s\t", shown(record.Key))
	}
	_, err := fmt.Fprintf(r.out, "%s\n", shown(record.Value))
	return err
}

func shown(b []byte) []byte {
	if b == nil {
		return []byte("null")
	}
	return b
}

func (v *recordView) text(member string, b []byte) *string {
	if b == nil {
		return nil
	}
	s := string(b)
	if !utf8.Valid(b) {
		s = base64Text(b)
		v.Base64 = append(v.Base64, member)
	}
	return &s
}
