package sinktask

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	regexInterval = time.Minute
	regexRetry    = time.Second
)

// watchTopics keeps the subscription at the topics that match the pattern until ctx ends. The client can do the same, but only
// with Go's syntax.
func (t *Task) watchTopics(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var gone []string // topics that were not there at the last look
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		next := cmp.Or(t.cfg.RegexInterval, regexInterval)
		found, err := matching(ctx, t.consumer, t.pattern.MatchWhole)
		if err == nil {
			gone = t.subscribe(found, gone)
		} else if ctx.Err() == nil {
			t.cfg.Logger.Warn("topics cannot be listed, trying again", "err", err)
			next = min(next, regexRetry)
		}
		timer.Reset(next)
	}
}

// subscribe adds new topics and drops those that were gone before, too: a broker that has just started may not know all. It
// returns those that are gone now and still subscribed.
func (t *Task) subscribe(found, before []string) (gone []string) {
	var dropped []string
	for _, topic := range t.consumer.GetConsumeTopics() {
		switch {
		case slices.Contains(found, topic):
		case slices.Contains(before, topic):
			dropped = append(dropped, topic)
		default:
			gone = append(gone, topic)
		}
	}
	t.consumer.AddConsumeTopics(found...)
	if len(dropped) > 0 {
		t.consumer.PurgeTopicsFromConsuming(dropped...)
	}
	return gone
}

// matching lists the topics that match; as with Kafka Connect, internal ones never do.
func matching(ctx context.Context, client *kgo.Client, match func(topic string) bool) ([]string, error) {
	req := kmsg.NewPtrMetadataRequest() // no topics: all of them
	req.Topics = nil
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, topic := range resp.Topics {
		if topic.Topic == nil || topic.IsInternal || kerr.ErrorForCode(topic.ErrorCode) != nil {
			continue
		}
		if match(*topic.Topic) {
			found = append(found, *topic.Topic)
		}
	}
	slices.Sort(found)
	return found, nil
}
