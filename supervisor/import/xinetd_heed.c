/* Which attributes xinetd heeds, and what is said of the others. */
#include "import/xinetd.h"

#include <string.h>

/* Why xinetd passes over an attribute; NULL if it does not. */
static const char *passes_over(const struct xinetd_block *block,
                               const struct xinetd_attribute *attribute) {
    const struct xinetd_known *known = attribute->known;
    bool is_service = block->name != NULL;
    if (known == NULL) {
        return "xinetd has no such attribute, or yours may be another version; is it misspelt?";
    }
    if (!is_service && !known->in_defaults) {
        return "xinetd does not take it from defaults; put it into the services";
    }
    if (is_service &&
        (strcmp(known->name, "enabled") == 0 || strcmp(known->name, "disabled") == 0)) {
        return "belongs into defaults; here it is `disable`";
    }
    if (known->kind == XINETD_SINGLE && xinetd_find_in(block, known->name) != NULL) {
        return "stands twice, and the first counts; delete this one";
    }
    if (known->kind == XINETD_SINGLE && attribute->operation != '=' &&
        (is_service || known->value_count >= 0)) {
        return "takes `=` alone, so xinetd passes over it";
    }
    if (known->value_count >= 0 && attribute->values.count != (size_t)known->value_count) {
        return "has another number of values than xinetd takes, which passes over it";
    }
    return NULL;
}

void xinetd_heed(struct xinetd_block *block) {
    struct xinetd_attribute *attribute = block->first;
    for (; attribute != NULL; attribute = attribute->next) {
        attribute->is_taken = false;
        attribute->why = passes_over(block, attribute);
        if (attribute->why == NULL) {
            attribute->why = xinetd_refuses(attribute);
            attribute->is_refused = attribute->why != NULL;
        }
        attribute->is_taken = attribute->why == NULL;
    }
}

/* A limit that is none, and what is not wanted: there is nothing to carry over. */
static bool asks_nothing(const struct xinetd_attribute *attribute) {
    const char *name = attribute->known->name;
    const char *value = attribute->values.count == 1 ? attribute->values.items[0] : "";
    bool is_limit = attribute->known->values == XINETD_COUNT ||
                    attribute->known->values == XINETD_SIZE ||
                    attribute->known->values == XINETD_LIMIT;
    return (is_limit && text_equal_nocase(value, "UNLIMITED")) ||
           ((strcmp(name, "mdns") == 0 || strcmp(name, "groups") == 0) &&
            text_equal_nocase(value, "no")) ||
           (strcmp(name, "deny_time") == 0 && xinetd_lists(" 0 NEVER ", value));
}

void xinetd_note_defaults(struct xinetd_config *config) {
    struct importer *importer = config->importer;
    const struct xinetd_attribute *attribute = NULL;
    xinetd_heed(&config->defaults);
    for (attribute = config->defaults.first; attribute != NULL; attribute = attribute->next) {
        const char *why = attribute->why;
        if (attribute->is_refused) {
            config->is_dead = true;
        } else if (why == NULL && !asks_nothing(attribute) && !attribute->known->restricts) {
            why = attribute->known->cure; /* a rule is told where it changes a service */
        }
        if (why != NULL) {
            import_note(importer, &importer->notes, attribute->where, "defaults: %s: %s%s",
                        text_excerpt(attribute->text).text, why,
                        attribute->is_refused ? ", and ends here" : "");
        } else if (strcmp(attribute->known->name, "cps") == 0) {
            xinetd_remark_rate(importer, &importer->notes, attribute, false);
        }
    }
}

void xinetd_note_faults(struct xinetd_reading *reading) {
    struct importer *importer = reading->importer;
    struct import_entry *entry = reading->entry;
    const struct xinetd_attribute *attribute = reading->block->first;
    /* Its `disable` and `enabled` are the very mark that a refused value sets. */
    bool may_come_back = xinetd_find_in(reading->block, "disable") != NULL ||
                         xinetd_find_in(&reading->config->defaults, "enabled") != NULL;
    for (; attribute != NULL; attribute = attribute->next) {
        struct text_excerpt text = text_excerpt(attribute->text);
        if (attribute->is_refused && !may_come_back) {
            import_was_off(importer, entry, attribute->where,
                           "%s: %s, and has the service off for it", text.text, attribute->why);
        } else if (attribute->is_refused) {
            import_off(importer, entry, attribute->where,
                       "%s: %s, and has the service off for it, or on again for another line",
                       text.text, attribute->why);
        } else if (!attribute->is_taken &&
                   (attribute->known == NULL || attribute->known->restricts)) {
            import_off(importer, entry, attribute->where,
                       "%s: %s; since it may be meant to keep somebody out, this is switched off",
                       text.text, attribute->why);
        } else if (!attribute->is_taken) {
            import_note(importer, &entry->notes, attribute->where, "%s: %s", text.text,
                        attribute->why);
        }
    }
}

void xinetd_note_cures(struct xinetd_reading *reading) {
    const struct xinetd_attribute *attribute = reading->block->first;
    for (; attribute != NULL; attribute = attribute->next) {
        if (attribute->is_taken && attribute->known->cure != NULL && !attribute->known->restricts &&
            !asks_nothing(attribute)) {
            import_note(reading->importer, &reading->entry->notes, attribute->where, "%s: %s",
                        text_excerpt(attribute->text).text, attribute->known->cure);
        }
    }
}
