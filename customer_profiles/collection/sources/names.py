"""How files name a table's columns and their values, the commonest first, in several languages.

Names are written without accents: ``schema_matching.letters`` takes them off.
"""

from __future__ import annotations

_ENGLISH_AND_CHINESE = {
    "customer_id": "customer_id user_id member_id buyer_id client_id customer_no cust_id uid visitor_id "
    "reviewer_id full_visitor_id household_key household_id hshd_num customer cust_code person card_id "
    "user_id_hash account_id contact_id requester_id loyalty_card loyalty_card_number open_id 客户编号 "
    "客户id 会员编号 会员号 会员id 用户编号 用户id 买家id 顾客编号 会员名 用户标识 用户openid 会员卡号 "
    "下单帐号 下单账号 login_id",
    "order_id": "order_id order_no order_number invoice_no invoice invoice_id transaction_id basket_id "
    "receipt_no receipt_number receipt increment_id trans_id txn_id order name 订单编号 订单号 订单id "
    "交易编号 交易号 小票号",
    "line_number": "line_number line_no line item_no order_item_id order_line_number position 行号 "
    "明细行号 序号",
    "ordered_at": "ordered_at order_date order_time invoice_date transaction_date transaction_dt "
    "purchase_date order_purchase_timestamp event_timestamp created_at created_utc paid_at date datetime "
    "timestamp 下单时间 订单时间 订单日期 交易时间 交易日期 购买时间 创建时间 提交时间 成交时间 付款时间",
    "status_at": "status_at status_date status_time 状态时间 更新时间",
    "status": "status order_status state 订单状态 状态 交易状态",
    "quantity": "quantity qty qty_ordered quantity_ordered purchase_quantity units pieces count 数量 "
    "件数 购买数量 amount",
    "amount_minor": "amount_minor line_total line_subtotal line_amount item_total amount total price_total "
    "total_price purchase_amount net_sales sales_value sales revenue payment price dollars spend "
    "actual_amount_paid amount_paid total_amount gross extended_price price_paid net_price order_value "
    "transaction_value basket_value subtotal turnover gmv amt paid 买家实际支付金额 金额 实付金额 订单金额 "
    "支付金额 总价 销售额 实付 实付款 实收 成交额 交易额 消费额",
    "currency": "currency currency_code currency_iso_code 币种 货币 货币种类",
    "product_id": "product_id sku sku_id item_id stock_code article_id product_code prod_code item goods_id "
    "asin ean gtin upc barcode 商品编号 商品id 商品编码 货号 规格编码 商家编码 条形码 条码",
    "category": "category category_id product_category department category_code product_subclass class "
    "类目 品类 商品类别 分类",
    "channel": "channel sales_channel source_channel 渠道 销售渠道",
    "discount_minor": "discount discount_amount 优惠金额 折扣金额",
    "refunded_minor": "refunded amount_refunded refunded_amount refund_amount 退款金额 已退款金额",
    "coupon_id": "coupon_id coupon coupon_code 优惠券 优惠券编号",
    "payment_method": "payment_method payment_type pay_type 支付方式 付款方式",
    "updated_at": "updated_at update_time modified_at last_updated last_changed last_modified "
    "last_modified_date date_modified 更新时间 修改时间",
    "registered_at": "registered_at signup_date sign_up_date created_at created register_time "
    "registration_date join_date created_date create_date date_created member_since customer_since 注册时间 "
    "注册日期 入会时间",
    "full_name": "full_name name customer_name 姓名 客户姓名 会员姓名",
    "given_name": "first_name forename 名 名字",
    "family_name": "last_name surname 姓 姓氏",
    "birth_date": "birth_date birthday date_of_birth dob 出生日期 生日",
    "gender": "gender sex 性别",
    "email": "email e_mail mail email_address 邮箱 电子邮箱",
    "phone": "phone mobile telephone phone_number mobile_phone 手机 手机号 电话 联系电话",
    "country": "country country_code country_region 国家",
    "province": "province state region 省份 省",
    "city": "city town customer_city 城市 市",
    "loyalty_tier": "loyalty_tier tier member_level club_member_status 会员等级 等级",
    "name": "name product_name prod_name item_name title description 商品名称 商品名 名称",
    "brand": "brand manufacturer 品牌",
    "list_price_minor": "list_price price unit_price 标价 单价 价格",
    "valid_from": "valid_from effective_from 生效日期 上架时间",
    "campaign_id": "campaign_id campaign 活动编号 活动id",
    "contacted_at": "contacted_at contact_date sent_at send_date send_time start_date 触达时间 发送时间",
    "arm": "arm variation variant test_group",
    "opened_at": "opened_at open_date open_time 打开时间",
    "clicked_at": "clicked_at click_date click_time redemption_date 点击时间",
    "source_customer_id": "referrer_id referred_by referrer inviter_id invited_by follower_id from_id 邀请人 "
    "推荐人",
    "target_customer_id": "referee_id referred_id invitee_id followee_id followed_id to_id customer_id "
    "user_id member_id 被邀请人 被推荐人",
    "event_id": "event_id message_id insert_id log_id 事件编号 事件id",
    "event_at": "event_at event_time time timestamp event_timestamp ts datetime derived_tstamp "
    "collector_tstamp started_at start_time 事件时间 行为时间 时间",
    "event_name": "event_name event_type event action behavior_type behavior type metric 事件 行为类型 "
    "事件类型 行为",
    "anonymous_id": "anonymous_id cookie_id device_id visitor_id user_pseudo_id domain_userid 设备id 匿名id",
    "device": "device device_type device_category 设备 设备类型 终端",
    "session_id": "session_id user_session session domain_sessionid visit_id 会话id",
    "text_id": "text_id review_id comment_id ticket_id response_id conversation_id 评论编号 评论id",
    "body": "body review text message comment content review_text review_body feedback description 评论 "
    "评论内容 评价内容 内容",
    "rating": "rating stars score review_score overall 评分 星级",
    "resolved_at": "resolved_at solved_at closed_at 解决时间",
    "created_at": "created_at creation_date review_date unix_review_time review_time create_time created "
    "date timestamp 评论时间 评价时间 创建时间 时间",
}

_GERMAN_AND_ROMANCE = {
    "customer_id": "kundennummer kunden_nr kunden_id kunde id_client numero_client code_client client "
    "id_cliente codigo_cliente cod_cliente cliente_id cliente codice_cliente",
    "order_id": "bestellnummer bestell_nr bestell_id auftragsnummer auftrags_nr rechnungsnummer "
    "rechnungs_nr belegnummer beleg_nr bon_nr numero_commande numero_de_commande id_commande commande "
    "numero_facture numero_pedido numero_de_pedido numero_do_pedido id_pedido codigo_pedido pedido "
    "numero_factura numero_ordine id_ordine ordine",
    "line_number": "positionsnummer pos_nr ligne linea linha riga",
    "ordered_at": "bestelldatum bestellt_am auftragsdatum rechnungsdatum belegdatum kaufdatum datum "
    "date_commande date_de_commande date_achat date_facture fecha_pedido fecha_de_pedido fecha_compra "
    "fecha_factura fecha data_pedido data_do_pedido data_compra data_da_compra data_ordine data_acquisto",
    "status": "bestellstatus statut statut_commande estado_pedido status_pedido stato_ordine",
    "quantity": "menge anzahl stuck stueck stuckzahl stueckzahl quantite qte cantidad unidades "
    "quantidade qtd qtde quantita",
    "amount_minor": "betrag gesamtbetrag gesamtpreis summe umsatz montant montant_total total_ttc "
    "total_ht prix_total importe importe_total precio_total monto valor valor_total preco_total importo "
    "importo_totale prezzo_totale totale preis prix precio preco prezzo",
    "currency": "wahrung waehrung devise moneda moeda valuta divisa",
    "product_id": "artikelnummer artikel_nr artikel_id artikel produktnummer produkt_id id_produit "
    "code_produit code_article reference_produit id_producto codigo_producto id_produto codigo_produto "
    "cod_produto id_prodotto codice_prodotto codice_articolo",
    "category": "kategorie warengruppe produktgruppe categorie categoria familia rayon reparto",
    "channel": "vertriebskanal kanal canal canal_venta canale",
    "discount_minor": "rabatt remise descuento desconto sconto",
    "coupon_id": "gutschein gutscheincode code_promo cupon cupom",
    "payment_method": "zahlungsart zahlart zahlungsmethode moyen_de_paiement mode_de_paiement "
    "metodo_pago forma_de_pago forma_pagamento metodo_pagamento",
    "registered_at": "registriert_am registrierungsdatum anmeldedatum kunde_seit date_inscription "
    "date_creation fecha_registro fecha_alta data_cadastro data_registro data_registrazione",
    "full_name": "kundenname nom_client nombre_cliente nome_cliente nome nombre",
    "given_name": "vorname prenom nombre nome",
    "family_name": "nachname familienname nom apellido apellidos sobrenome cognome",
    "birth_date": "geburtsdatum geburtstag date_naissance date_de_naissance fecha_nacimiento "
    "fecha_de_nacimiento data_nascimento data_de_nascimento data_nascita data_di_nascita",
    "gender": "geschlecht sexe sexo genero sesso",
    "email": "e_mail_adresse mailadresse courriel adresse_email correo correo_electronico",
    "phone": "telefon telefonnummer handy handynummer mobilnummer telefono telefone celular cellulare",
    "country": "land pays pais paese",
    "province": "bundesland departement provincia",
    "city": "stadt ort wohnort ville ciudad cidade citta comune",
    "loyalty_tier": "kundenstufe niveau_fidelite",
    "name": "artikelbezeichnung artikelname produktname bezeichnung nom_produit produit libelle "
    "designation nombre_producto producto nome_produto produto nome_prodotto prodotto",
    "brand": "marke hersteller marque marca",
    "list_price_minor": "preis einzelpreis stuckpreis stueckpreis prix prix_unitaire precio "
    "precio_unitario preco preco_unitario prezzo prezzo_unitario",
    "text_id": "bewertungs_id id_avis id_resena id_avaliacao",
    "body": "bewertungstext kommentar commentaire avis comentario resena avaliacao recensione commento",
    "rating": "sterne bewertung puntuacion nota valutazione",
}
NAMES = {
    column: f"{names} {_GERMAN_AND_ROMANCE.get(column, '')}" for column, names in _ENGLISH_AND_CHINESE.items()
}

_STATUS = {
    "placed": "created pending open new unpaid on_hold awaiting_payment wc-pending wc-on-hold 待付款 "
    "等待付款 等待买家付款 已下单 待支付 offen pendiente pendente",
    "paid": "approved invoiced processing in_process authorized wc-processing partially_refunded "
    "partially_paid bezahlt payée payé pagado pago pagato 已付款 已支付 待发货 买家已付款，等待卖家发货 "
    "买家已付款,等待卖家发货 等待出库 备货中",
    "shipped": "sent dispatched in_transit versendet versandt expédiée expédié enviado spedito 已发货 "
    "待收货 卖家已发货，等待买家确认 卖家已发货,等待买家确认 等待确认收货 已发货，待收货",
    "completed": "complete wc-completed delivered fulfilled done closed received success abgeschlossen "
    "geliefert livrée livré entregado entregue consegnato 交易成功 交易完成 支付成功 已完成 已签收 "
    "已收货 完成",
    "cancelled": "canceled void voided expired unavailable failed wc-cancelled wc-failed storniert "
    "annulée annulé cancelado anulado annullato (删除)等待付款 交易关闭 已取消 取消 已关闭 "
    "已取消，退款成功",
    "refunded": "refund order_refunded wc-refunded erstattet remboursée remboursé reembolsado "
    "rimborsato 已退款 退款成功 退款 已发货，退款成功",
    "returned": "return retourniert zurückgesendet retournée devuelto devolvido reso 已退货 退货",
}
_EVENTS = {
    "page_view": "pageview view screen_view 浏览",
    "product_view": "view_item product_viewed viewed_product viewcontent detail pv 商品浏览",
    "search": "view_search_results site_search products_searched 搜索",
    "add_to_cart": "addtocart cart cart_add product_added added_to_cart 加购 加入购物车",
    "remove_from_cart": "removefromcart cart_remove product_removed",
    "checkout_start": "begin_checkout checkout initiatecheckout checkout_started started_checkout",
    "favourite": "favorite fav add_to_wishlist wishlist 收藏",
    "share": "分享",
    "login": "sign_in signin log_in 登录",
}
_GENDERS = {
    "male": "männlich maennlich herr homme masculin masculino hombre uomo maschio",
    "female": "w weiblich frau femme féminin feminino femenino mujer donna femmina",
    "other": "d divers",
}
MEANINGS: dict[str, dict[str, str]] = {
    column: {word: value for value, words in values.items() for word in words.split()}
    for column, values in {"status": _STATUS, "event_name": _EVENTS, "gender": _GENDERS}.items()
}
"""What words of a file mean among the values of a column."""
PURCHASES = {
    "purchase",
    "purchased",
    "order",
    "transaction",
    "buy",
    "order_completed",
    "placed_order",
    "购买",
    "下单",
}
"""Words for an event that is none here: an order."""
