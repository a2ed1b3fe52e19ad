package connectors

import (
	"fmt"
	"slices"
)

// ListOf wants a list of distinct, non-empty items out of values. The list may be empty.
func ListOf(values ...string) ConfigCheck { return &listCheck{items: In(values...), allowEmpty: true} }

// NonEmptyListOf is ListOf for a list that must have an item.
func NonEmptyListOf(values ...string) ConfigCheck { return &listCheck{items: In(values...)} }

// DistinctList wants a list of distinct, non-empty items.
func DistinctList(allowEmpty, allowNull bool) ConfigCheck {
	return &listCheck{allowEmpty: allowEmpty, allowNull: allowNull}
}

type listCheck struct {
	items                 ConfigCheck // nil allows any
	allowEmpty, allowNull bool
}

func (c *listCheck) String() string {
	if c.items == nil {
		return ""
	}
	return c.items.String()
}

func (c *listCheck) Check(name string, value any) error {
	list, ok := value.([]string)
	if !ok {
		if c.allowNull {
			return nil
		}
		return listError(name, "values must not be null.")
	}
	if len(list) == 0 && !c.allowEmpty {
		valid := "any non-empty value"
		if c.items != nil {
			valid = c.items.String()
		}
		return listError(name, "must not be empty. Valid values include: "+valid)
	}
	if len(distinct(list)) != len(list) {
		return listError(name, "values must not be duplicated.")
	}
	for _, item := range list {
		if item == "" {
			return listError(name, "values must not be empty.")
		}
		if c.items != nil {
			if err := c.items.Check(name, item); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *listCheck) distinct(value any) any {
	if list, ok := value.([]string); ok {
		return distinct(list)
	}
	return value
}

func listError(name, rule string) error {
	return &ConfigError{Msg: fmt.Sprintf("Configuration '%s' %s", name, rule)}
}

func distinct(list []string) []string {
	var d []string
	for i, item := range list {
		if slices.Contains(list[:i], item) {
			continue
		}
		d = append(d, item)
	}
	if d == nil {
		return list
	}
	return d
}

// ListAtMost wants a list of no more than highest items.
func ListAtMost(highest int) ConfigCheck {
	return CheckFunc(fmt.Sprintf("List containing maximum of %d elements", highest), func(value any) string {
		list, ok := value.([]string)
		if !ok {
			return "Value must be non-null"
		}
		if len(list) > highest {
			return fmt.Sprintf("exceeds maximum list size of [%d].", highest)
		}
		return ""
	})
}

// NonEmptyList wants a list with an item, whatever it is.
func NonEmptyList() ConfigCheck {
	return CheckFunc("non-empty list", func(value any) string {
		if list, ok := value.([]string); !ok || len(list) == 0 {
			return "Empty list"
		}
		return ""
	})
}
