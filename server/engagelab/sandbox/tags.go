package sandbox

import (
	"maps"
	"net/http"
	"slices"
)

const maxTagsAsked = 1_000

func (s *Sandbox) listTags(a *app, _ *http.Request, _ []byte) (any, error) {
	names := slices.Sorted(maps.Keys(a.tags))
	if names == nil {
		names = []string{}
	}
	return map[string][]string{"tags": names}, nil
}

func (s *Sandbox) setTag(a *app, r *http.Request, body []byte) (any, error) {
	param, err := readBody[struct {
		IDs change `json:"registration_ids"`
	}](body, "an object with registration_ids, which has add and remove")
	if err != nil {
		return nil, err
	}
	if err := param.IDs.check(); err != nil {
		return nil, err
	}
	tag := r.PathValue("tag")
	for _, id := range param.IDs.Remove {
		a.tags.remove(tag, id)
	}
	for _, id := range param.IDs.Add {
		if err := a.tags.add(tag, id); err != nil {
			return nil, err
		}
	}
	return nil, nil //nolint:nilnil // an empty answer
}

func (s *Sandbox) deleteTag(a *app, r *http.Request, _ []byte) (any, error) {
	delete(a.tags, r.PathValue("tag"))
	return nil, nil //nolint:nilnil // an empty answer
}

func (s *Sandbox) isTagged(a *app, r *http.Request, _ []byte) (any, error) {
	return map[string]bool{"result": a.tags[r.PathValue("tag")][r.PathValue("id")]}, nil
}

func (s *Sandbox) countTags(a *app, r *http.Request, _ []byte) (any, error) {
	names, err := ids(r, "tags", maxTagsAsked)
	if err != nil {
		return nil, err
	}
	counts := make(map[string]int, len(names))
	for _, tag := range names {
		counts[tag] = len(a.tags[tag])
	}
	return map[string]any{"tagsCount": counts}, nil
}

func (s *Sandbox) tagQuota(a *app, r *http.Request, _ []byte) (any, error) {
	details := []map[string]any{}
	if r.URL.Query().Get("tags") != "" {
		names, err := ids(r, "tags", maxTagsAsked)
		if err != nil {
			return nil, err
		}
		for _, tag := range names {
			details = append(details, map[string]any{
				"tagName": tag, "totalUidQuota": maxMembers, "useUidQuota": len(a.tags[tag]),
			})
		}
	}
	return map[string]any{"data": map[string]any{
		"totalTagQuota": maxNames, "useTagQuota": len(a.tags), "totalAliasQuota": maxNames, "useAliasQuota": len(a.aliases),
		"tagUidQuotaDetail": details,
	}}, nil
}

func (s *Sandbox) getAlias(a *app, r *http.Request, _ []byte) (any, error) {
	devices := slices.Sorted(maps.Keys(a.aliases[r.PathValue("alias")]))
	if devices == nil {
		devices = []string{}
	}
	return map[string][]string{"registration_ids": devices}, nil
}

func (s *Sandbox) deleteAlias(a *app, r *http.Request, _ []byte) (any, error) {
	delete(a.aliases, r.PathValue("alias"))
	return nil, nil //nolint:nilnil // an empty answer
}
