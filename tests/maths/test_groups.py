"""Group statistics against slow loops, rows in any order."""

import torch

from tvo_cli.maths import groups, masked

D = torch.float64
X = torch.tensor([1.0, 5.0, 2.0, 7.0, 4.0], dtype=D)
GROUP = torch.tensor([1, 0, 1, 0, 1])


def test_means_variances_and_leave_one_out_by_hand() -> None:
    torch.testing.assert_close(groups.group_mean(X, GROUP), torch.tensor([6.0, 7 / 3], dtype=D))
    torch.testing.assert_close(groups.group_variance(X, GROUP), torch.tensor([2.0, 7 / 3], dtype=D))
    expected = torch.tensor([3.0, 7.0, 2.5, 5.0, 1.5], dtype=D)
    torch.testing.assert_close(groups.leave_one_out_mean(X, GROUP), expected)


def test_other_groups_stay_inside_their_source() -> None:
    x = torch.tensor([1.0, 2.0, 10.0, 20.0, 100.0], dtype=D)
    group, source = torch.tensor([0, 0, 1, 2, 3]), torch.tensor([0, 0, 0, 0, 1])
    mean, rows = groups.other_groups_mean(x, group, source)
    torch.testing.assert_close(mean, torch.tensor([15.0, 15.0, 23 / 3, 13 / 3, 0.0], dtype=D))
    assert rows.tolist() == [2, 2, 3, 3, 0]


def test_masked_statistics_never_read_what_is_masked() -> None:
    mask = torch.tensor([True, True, False, True])
    x = torch.tensor([1.0, 2.0, float("nan"), 6.0], dtype=D)
    assert masked.mean(x, mask).item() == 3.0
    assert masked.variance(x, mask).item() == 7.0
    white = masked.whiten(x, mask, 0.0)
    assert white[2].item() == 0.0
    assert abs(white[mask].mean().item()) < 1e-15
    assert abs(white[mask].var().item() - 1.0) < 1e-12
    assert masked.mean(x, torch.zeros(4, dtype=torch.bool)).item() == 0.0


def test_equal_values_centre_to_exactly_zero_whatever_rounding_says() -> None:
    x = torch.tensor([0.1, 0.1, 0.1, 0.7, 0.2, 0.3])
    group = torch.tensor([0, 0, 0, 1, 1, 1])
    centred = groups.group_centred(x, group)
    assert (centred[:3] == 0).all()
    torch.testing.assert_close(centred[3:], x[3:] - 0.4)
