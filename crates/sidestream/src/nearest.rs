//! The known name that a misspelt one was probably meant to be.

/// The candidate with the smallest edit distance to `name`, when it is near enough to be a typing
/// mistake: one edit, or one per three letters. Ties go to the earlier candidate.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name: Vec<char> = name.to_lowercase().chars().take(64).collect();
    candidates
        .into_iter()
        .map(|candidate| {
            let lower: Vec<char> = candidate.to_lowercase().chars().collect();
            (distance(&name, &lower), candidate)
        })
        .filter(|&(edits, _)| edits <= (name.len() / 3).max(1))
        .min_by_key(|&(edits, _)| edits)
        .map(|(_, candidate)| candidate)
}

/// Optimal string alignment: insertions, deletions, substitutions and swaps of two neighbours,
/// which are the most common slip of the fingers.
fn distance(a: &[char], b: &[char]) -> usize {
    let width = b.len() + 1;
    let mut before = vec![0; width];
    let mut last: Vec<usize> = (0..width).collect();
    for (i, &from) in a.iter().enumerate() {
        let mut row = vec![i + 1; width];
        for (j, &to) in b.iter().enumerate() {
            let change = last[j] + usize::from(from != to);
            row[j + 1] = change.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && from == b[j - 1] && a[i - 1] == to {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swapped_neighbours_are_one_edit() {
        assert_eq!(nearest("bacth", ["workers", "batch"]), Some("batch"));
        assert_eq!(nearest("rtpm", ["http", "rtmp", "rtmps"]), Some("rtmp"));
    }

    #[test]
    fn what_is_far_from_everything_is_left_alone() {
        assert_eq!(nearest("low_latency", ["listen", "segment"]), None);
        assert_eq!(nearest("", ["listen"]), None);
    }
}
