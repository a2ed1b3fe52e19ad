package mirror

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// syncGroups commits the checkpoints of groups as their offsets in the target, if nobody uses the group there.
func (t *checkpointTask) syncGroups(ctx context.Context) error {
	translated := t.translated()
	if len(translated) == 0 {
		return nil
	}
	listed, err := t.to.ListGroups(ctx)
	if err != nil {
		return fmt.Errorf("list groups of %s: %w", t.s.target, err)
	}
	var idle []string
	for group := range translated {
		if g, there := listed[group]; there && g.State != "Empty" && g.State != "Dead" {
			delete(translated, group)
		} else if there {
			idle = append(idle, group)
		}
	}
	if len(idle) > 0 {
		for group, r := range t.to.FetchManyOffsets(ctx, idle...) {
			if r.Err != nil {
				err = errors.Join(err, fmt.Errorf("offsets of group %s in %s: %w", group, t.s.target, r.Err))
				delete(translated, group)
				continue
			}
			forwardOnly(translated[group], r.Fetched)
		}
	}
	for group, offsets := range translated {
		if len(offsets) > 0 {
			err = errors.Join(err, t.commit(ctx, group, offsets))
		}
	}
	return err
}

// translated are the offsets of all groups by their last checkpoints.
func (t *checkpointTask) translated() map[string]kadm.Offsets {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.syncs == nil {
		return nil
	}
	groups := make(map[string]kadm.Offsets)
	for key, c := range t.last {
		offsets := groups[key.group]
		offsets.Add(kadm.Offset{Topic: c.topic, Partition: c.partition, At: c.downstream, LeaderEpoch: -1, Metadata: c.metadata})
		groups[key.group] = offsets
	}
	return groups
}

// forwardOnly drops the offsets that a group has passed in the target.
func forwardOnly(offsets kadm.Offsets, have kadm.OffsetResponses) {
	offsets.DeleteFunc(func(o kadm.Offset) bool {
		h, ok := have.Lookup(o.Topic, o.Partition)
		return ok && h.Err == nil && h.At >= o.At
	})
}

func (t *checkpointTask) commit(ctx context.Context, group string, offsets kadm.Offsets) error {
	responses, err := t.to.CommitOffsets(ctx, group, offsets)
	if err == nil {
		err = responses.Error()
	}
	if errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.NonEmptyGroup) {
		t.log.Info("a group is in use in the target, so its offsets are left alone", "group", group)
		return nil
	} else if err != nil {
		return fmt.Errorf("commit offsets of group %s in %s: %w", group, t.s.target, err)
	}
	return nil
}
