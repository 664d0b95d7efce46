"""The numbers that the paper's text gives (Tables 1 to 3), FCVID throughout.

Figures 3 to 5 are images; they give none. mAP@K of the published code divides
by K and lets a query find itself: compare with our denominator `k` there.
"""

NAMES = {
  'nph': 'NPH',
  'itq': 'ITQ',
  'dh': 'DH',
  'mfh': 'MFH',
  'ssth': 'SSTH',
  'jtae': 'JTAE',
  'ssvh': 'SSVH',
  'fullcnn': 'FullCNN',
  'plain': 'Plain',
  'selfatt': 'SelfAtt',
  'neibatt': 'NeibAtt',
  'selfatt_ls': 'SelfAtt+Ls',
  'neibcat': 'NeibCat',
  'nph_minus': 'NPH-',
  'nph_hierarchical': 'NPH, hierarchical',
  'nph_tuned': 'NPH, tuned',
  'random': 'random codes',
  'cosine': 'pooled cosine, real-valued',
}


def _rows(ks, rows):
  return {name: dict(zip(ks, values)) for name, values in rows.items()}


# Table 1 and Table 2: by method and K; the paper gives no code length.
UNSEEN = _rows(
  (5, 20, 40, 60),
  {
    'ssth': (0.249, 0.131, 0.080, 0.057),
    'jtae': (0.258, 0.139, 0.086, 0.062),
    'ssvh': (0.300, 0.169, 0.102, 0.071),
    'nph': (0.306, 0.175, 0.109, 0.079),
  },
)
TRAIN25 = _rows(
  (5, 20, 40, 60),
  {
    'ssth': (0.279, 0.160, 0.098, 0.068),
    'jtae': (0.288, 0.166, 0.103, 0.074),
    'ssvh': (0.320, 0.185, 0.110, 0.079),
    'nph': (0.327, 0.193, 0.118, 0.085),
  },
)

# Table 3: by code length, method and K.
_ABLATION_KS = (20, 40, 60, 80, 100)
ABLATION = {
  32: _rows(
    _ABLATION_KS,
    {
      'fullcnn': (0.189, 0.149, 0.130, 0.117, 0.105),
      'plain': (0.175, 0.143, 0.129, 0.119, 0.107),
      'selfatt': (0.187, 0.140, 0.112, 0.103, 0.093),
      'neibatt': (0.201, 0.154, 0.131, 0.117, 0.107),
      'selfatt_ls': (0.210, 0.162, 0.138, 0.121, 0.113),
      'neibcat': (0.214, 0.167, 0.142, 0.124, 0.115),
      'nph_minus': (0.240, 0.190, 0.166, 0.149, 0.137),
      'nph': (0.246, 0.195, 0.170, 0.154, 0.141),
    },
  ),
  64: _rows(
    _ABLATION_KS,
    {
      'fullcnn': (0.233, 0.177, 0.150, 0.130, 0.117),
      'plain': (0.228, 0.173, 0.146, 0.129, 0.116),
      'selfatt': (0.239, 0.176, 0.146, 0.127, 0.113),
      'neibatt': (0.238, 0.177, 0.147, 0.128, 0.114),
      'selfatt_ls': (0.244, 0.203, 0.184, 0.172, 0.162),
      'neibcat': (0.254, 0.213, 0.193, 0.181, 0.170),
      'nph_minus': (0.286, 0.238, 0.212, 0.193, 0.179),
      'nph': (0.294, 0.240, 0.213, 0.196, 0.183),
    },
  ),
}
