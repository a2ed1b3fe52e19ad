package mirror

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// copiedRules are the access rules of remote topics: those of their origin that name one topic, but for the right to write. The
// right to everything becomes the right to read.
func copiedRules(resources []kmsg.DescribeACLsResponseResource, replicated func(string) bool, remote func(string) string) []kmsg.CreateACLsRequestCreation {
	var rules []kmsg.CreateACLsRequestCreation
	for _, r := range resources {
		if r.ResourceType != kmsg.ACLResourceTypeTopic || r.ResourcePatternType != kmsg.ACLResourcePatternTypeLiteral || !replicated(r.ResourceName) {
			continue
		}
		for _, a := range r.ACLs {
			allowed := a.PermissionType == kmsg.ACLPermissionTypeAllow
			if allowed && a.Operation == kmsg.ACLOperationWrite {
				continue
			}
			c := kmsg.NewCreateACLsRequestCreation()
			c.ResourceType, c.ResourcePatternType = r.ResourceType, r.ResourcePatternType
			c.ResourceName = remote(r.ResourceName)
			c.Principal, c.Host, c.Operation, c.PermissionType = a.Principal, a.Host, a.Operation, a.PermissionType
			if allowed && a.Operation == kmsg.ACLOperationAll {
				c.Operation = kmsg.ACLOperationRead
			}
			rules = append(rules, c)
		}
	}
	return rules
}

// syncACLs copies access rules. A cluster that has none is no failure; that is said once.
func (c *sourceConnector) syncACLs(ctx context.Context) error {
	resources, err := c.rules(ctx)
	if c.withoutRules(err, c.s.source) {
		return nil
	} else if err != nil {
		return fmt.Errorf("describe access rules of %s: %w", c.s.source, err)
	}
	rules := copiedRules(resources, c.replicates, func(t string) string { return c.s.policy.remote(c.s.source, t) })
	if len(rules) == 0 {
		return nil
	}
	if err = c.createRules(ctx, rules); c.withoutRules(err, c.s.target) {
		return nil
	}
	return err
}

// rules are the source's access rules of topics.
func (c *sourceConnector) rules(ctx context.Context) ([]kmsg.DescribeACLsResponseResource, error) {
	req := kmsg.NewPtrDescribeACLsRequest()
	req.ResourceType, req.ResourcePatternType = kmsg.ACLResourceTypeTopic, kmsg.ACLResourcePatternTypeAny
	req.Operation, req.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
	if err := understood(ctx, c.from, req); err != nil {
		return nil, err
	}
	resp, err := req.RequestWith(ctx, c.from.raw)
	if err != nil {
		return nil, err
	}
	return resp.Resources, kerr.ErrorForCode(resp.ErrorCode)
}

func (c *sourceConnector) createRules(ctx context.Context, rules []kmsg.CreateACLsRequestCreation) error {
	req := kmsg.NewPtrCreateACLsRequest()
	req.Creations = rules
	if err := understood(ctx, c.to, req); err != nil {
		return err
	}
	resp, err := req.RequestWith(ctx, c.to.raw)
	if err != nil {
		return fmt.Errorf("create access rules in %s: %w", c.s.target, err)
	}
	for i, r := range resp.Results {
		if code := kerr.ErrorForCode(r.ErrorCode); code != nil && i < len(rules) {
			err = errors.Join(err, fmt.Errorf("create access rule of topic %s: %w", rules[i].ResourceName, code))
		}
	}
	return err
}

// understood returns kerr.UnsupportedVersion if no broker of a cluster knows a request.
func understood(ctx context.Context, admin *client, req kmsg.Request) error {
	brokers, err := admin.ApiVersions(ctx)
	if err != nil {
		return err
	}
	for _, b := range brokers {
		if _, known := b.KeyMaxVersion(req.Key()); known {
			return nil
		}
		err = b.Err
	}
	if err != nil {
		return err
	}
	return kerr.UnsupportedVersion
}

// withoutRules reports whether an error says that a cluster knows no access rules.
func (c *sourceConnector) withoutRules(err error, cluster string) bool {
	if !errors.Is(err, kerr.SecurityDisabled) && !errors.Is(err, kerr.UnsupportedVersion) {
		return false
	}
	if !c.saidNoRules {
		c.log.Info("a cluster has no access rules, so none are copied; "+keySyncACLs+enabledSuffix+"=false stops asking", "cluster", cluster)
		c.saidNoRules = true
	}
	return true
}
